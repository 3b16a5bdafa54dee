# Names and labels of resources.
package aedile

import rego.v1

deny contains message if {
	some change in input.plan.changes
	change.operation == "create"
	name := resource(change.instance)
	not well_named(name)
	message := sprintf("%s: a name has 3 to 63 lower-case letters, digits and hyphens, none at an edge", [name])
}

deny contains message if {
	some change in input.plan.changes
	change.operation in {"create", "update"}
	some label in {"env", "owner"}
	not change.labels[label]
	message := sprintf("%s has no label %s", [change.instance, label])
}

deny contains message if {
	some change in input.plan.changes
	env := change.labels.env
	not env in {"development", "staging", "production"}
	message := sprintf("%s: env is development, staging or production, and not %s", [change.instance, env])
}

well_named(name) if regex.match(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`, name)

# The part of HOST/RESOURCE behind the first slash.
resource(instance) := substring(instance, indexof(instance, "/") + 1, -1)
