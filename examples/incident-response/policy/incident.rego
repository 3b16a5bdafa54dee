package aedile

# A program may open an incident, but only a person may act on one in prod.
deny contains "in prod only people act on incidents" if {
    input.environment == "prod"
    startswith(input.principal, "token:")
    input.action.kind == "wasm.echo"
}

warn contains "this cannot be taken back" if input.action.reversibility == "irreversible"
