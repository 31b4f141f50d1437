# How many pods a workload declares, and what a change leaves of them.
# Autoscalers and disruption budgets have rules of their own.
package finops.rules.availability.replicas

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.replicas

limit := limits.of("availability")

evaluable if {
	limit.replicas_decision in {"deny", "needs_approval"}
	every amount in [limit.min_replicas, limit.max_replicas, limit.lowered_min_replicas] {
		is_number(amount)
		amount >= 0
	}
}

outside if replicas.declared < limit.min_replicas

outside if replicas.declared > limit.max_replicas

# METADATA
# title: Replicas are out of bounds
# description: The workload declares fewer or more pods than the environment asks for.
# scope: rule
# custom:
#   id: availability.replicas
#   judges: [proposal, manifest]
#   fix: Declare a number within the bounds, or have the environment's limit changed.
results contains record if {
	touched
	outside
	record := {
		"id": "availability.replicas",
		"decision": limit.replicas_decision,
		"actual": sprintf("%v replicas", [replicas.declared]),
		"limit": sprintf("%v to %v replicas", [limit.min_replicas, limit.max_replicas]),
	}
}

# A number that a change does not set is no reason to refuse the change.
touched if not change.is_proposal

touched if replicas.changed

# METADATA
# title: Too few replicas are left
# description: >-
#   The change thins a workload or its autoscaler's floor out to fewer pods than the environment
#   keeps. Turning it off altogether is another question, which change.large_cut asks.
# scope: rule
# custom:
#   id: availability.replicas_lowered
#   judges: [proposal]
#   fix: Leave at least as many replicas as the environment asks for.
results contains record if {
	replicas.changed
	change.proposed > 0
	change.proposed < change.current
	change.proposed < limit.lowered_min_replicas
	record := {
		"id": "availability.replicas_lowered",
		"decision": "deny",
		"actual": sprintf("from %v to %v replicas", [change.current, change.proposed]),
		"limit": sprintf("at least %v replicas left", [limit.lowered_min_replicas]),
	}
}
