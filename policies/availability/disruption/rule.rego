# Whether pods may be moved, and whether some stay while they are: disruption budgets.
# How many pods there are to begin with is the business of availability/replicas.
package finops.rules.availability.disruption

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.replicas
import data.finops.lib.resource

limit := limits.of("availability")

evaluable if {
	limit.disruption_decision in {"deny", "needs_approval"}
	is_boolean(limit.budget_wanted)
	every amount in [limit.budget_from_replicas, limit.min_disruptions] {
		is_number(amount)
		amount >= 0
	}
}

# Of a budget alone it is not known of how many pods: enough that any rest would be left.
many := 1000

# METADATA
# title: The disruption budget lets no pod go
# description: >-
#   Nodes cannot be drained: updates hang, and what would be consolidated stays paid for.
# scope: rule
# custom:
#   id: availability.disruption_blocked
#   judges: [proposal, manifest]
#   fix: "Allow at least one pod to be unavailable, such as maxUnavailable: 1."
results contains record if {
	resource.kind == "PodDisruptionBudget"
	replicas.spare(replicas.itself, many) < limit.min_disruptions
	record := {
		"id": "availability.disruption_blocked",
		"decision": change.severity(limit.disruption_decision),
		"actual": said(replicas.itself),
		"limit": sprintf("at least %v pods may go", [limit.min_disruptions]),
	}
}

said(budget) := sprintf("maxUnavailable %v", [budget.spec.maxUnavailable]) if {
	object.get(budget.spec, "maxUnavailable", null) != null
} else := sprintf("minAvailable %v", [object.get(budget.spec, "minAvailable", 0)])

judged if not change.is_proposal

judged if replicas.changed

# METADATA
# title: The disruption budget would let no pod go
# description: >-
#   With so few replicas the budget beside the workload allows no disruption, so that no node that
#   runs it can be drained.
# scope: rule
# custom:
#   id: availability.disruption_below
#   judges: [proposal, manifest]
#   fix: Keep more replicas than the budget's minAvailable, or lower that first.
results contains record if {
	judged
	resource.kind != "PodDisruptionBudget"
	replicas.fewest > 0
	some budget in replicas.budgets
	spare := replicas.spare(budget, replicas.fewest)
	spare < limit.min_disruptions
	record := {
		"id": "availability.disruption_below",
		"decision": limit.disruption_decision,
		"actual": sprintf("%v replicas and a budget of %s", [replicas.fewest, said(budget)]),
		"limit": sprintf("at least %v pods may go", [limit.min_disruptions]),
	}
}

# METADATA
# title: No disruption budget
# description: >-
#   Several replicas, and nothing that keeps one of them while nodes are drained. Told only where
#   somebody looked at what stands beside the workload.
# scope: rule
# custom:
#   id: availability.disruption_missing
#   judges: [proposal, manifest]
#   fix: Add a PodDisruptionBudget that selects the workload's pods.
results contains record if {
	limit.budget_wanted
	judged
	resource.kind in replicas.scaled_kinds
	replicas.fewest >= limit.budget_from_replicas
	replicas.neighbours
	count(replicas.budgets) == 0
	record := {
		"id": "availability.disruption_missing",
		"decision": "needs_approval",
		"actual": sprintf("%v replicas and no budget that selects them", [replicas.fewest]),
		"limit": sprintf("a PodDisruptionBudget from %v replicas on", [limit.budget_from_replicas]),
	}
}
