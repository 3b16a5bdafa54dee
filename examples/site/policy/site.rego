# Rules about whole plans: input.plan is the plan, as schemas/plan.schema.json describes it.
package aedile

import rego.v1

deny contains message if {
	input.environment == "prod"
	some change in input.plan.changes
	change.operation in {"delete", "replace"}
	message := sprintf("%s would be deleted in production", [change.instance])
}

deny contains "nothing marked as critical is deleted" if {
	some change in input.plan.changes
	change.labels.critical == "true"
	change.operation in {"delete", "replace"}
}
