# What a model takes out of the grid in a month, against its budget.
# What that emits is the business of carbon.
package finops.rules.ai.energy

import rego.v1

import data.finops.lib.limits
import data.finops.lib.model
import data.finops.lib.number
import data.finops.lib.resource

limit := limits.of("ai")

evaluable if {
	limit.energy_decision in {"deny", "needs_approval"}
	is_number(limit.max_energy_kwh_month)
	limit.max_energy_kwh_month >= 0
	is_array(limit.energy_budget_keys)
}

used := number.plain(model.figure("energy_kwh_month"))

# Its own budget counts where it is the lower.
budget := min([limit.max_energy_kwh_month, own]) if {
	own := number.plain(resource.label_of(object.union(resource.labels, resource.annotations), limit.energy_budget_keys))
} else := limit.max_energy_kwh_month

# METADATA
# title: The model is over its energy budget
# description: What it took out of the grid in a month is more than the environment or its own budget allows.
# scope: rule
# custom:
#   id: ai.energy
#   judges: [proposal, manifest]
#   fix: Use a smaller model, fewer or better used devices, or have its owner raise the budget.
results contains record if {
	used > budget
	record := {
		"id": "ai.energy",
		"decision": limit.energy_decision,
		"actual": sprintf("%s kWh a month", [number.two_decimals(used)]),
		"limit": sprintf("%v kWh a month", [budget]),
	}
}

# METADATA
# title: The model's energy cannot be read
# description: What is given as its energy is no number.
# scope: rule
# custom:
#   id: ai.energy_unreadable
#   judges: [proposal, manifest]
#   fix: Give the energy as a number of kWh a month.
results contains record if {
	given := model.figure("energy_kwh_month")
	not used >= 0
	record := {
		"id": "ai.energy_unreadable",
		"decision": "needs_approval",
		"actual": substring(sprintf("%v", [given]), 0, 80),
		"limit": "a number of kWh a month",
	}
}
