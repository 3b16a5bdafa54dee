# What is deleted, and how much.
package aedile

import rego.v1

goes contains change if {
	some change in input.plan.changes
	change.operation in {"delete", "replace"}
}

deny contains message if {
	input.environment == "production"
	some change in goes
	message := sprintf("%s would be deleted in production", [change.instance])
}

deny contains message if {
	some change in goes
	change.labels.critical == "true"
	message := sprintf("%s is critical and would be deleted", [change.instance])
}

warn contains message if {
	count(goes) > 5
	message := sprintf("%d resources would be deleted", [count(goes)])
}

# More than a tenth of what is known was changed by somebody else.
warn contains message if {
	input.plan.reach.drifted * 10 > input.plan.reach.resourcesKnown
	message := sprintf("%d of %d resources drifted", [input.plan.reach.drifted, input.plan.reach.resourcesKnown])
}

require_approval contains "lead" if count(goes) > 0
