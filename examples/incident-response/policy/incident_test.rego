package aedile_test

import data.aedile

token := {"principal": "token:monitor", "environment": "prod", "action": {"kind": "wasm.echo"}}

test_programs_do_not_act_in_prod if {
    "in prod only people act on incidents" in aedile.deny with input as token
}

test_people_do if {
    count(aedile.deny) == 0 with input as object.union(token, {"principal": "user:noor"})
}

test_dev_is_open if {
    count(aedile.deny) == 0 with input as object.union(token, {"environment": "dev"})
}
