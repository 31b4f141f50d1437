# The bounds and the target of an autoscaler: of Kubernetes (HorizontalPodAutoscaler) and of KEDA.
# What it measures is not judged.
package finops.rules.availability.autoscaler

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.replicas
import data.finops.lib.resource

limit := limits.of("availability")

evaluable if {
	limit.autoscaler_decision in {"deny", "needs_approval"}
	is_boolean(limit.autoscaler_target_wanted)
	every amount in [limit.autoscaler_min_replicas, limit.autoscaler_max_replicas, limit.autoscaler_min_spread] {
		is_number(amount)
		amount >= 0
	}
}

low := replicas.minimum(replicas.itself)

high := replicas.maximum(replicas.itself)

# METADATA
# title: The autoscaler cannot scale
# description: Its most replicas are fewer than its least, or too close to them for it to matter.
# scope: rule
# custom:
#   id: availability.autoscaler_range
#   judges: [proposal, manifest]
#   fix: Raise maxReplicas or lower minReplicas; without a range, declare the replicas and drop it.
results contains record if {
	high - low < limit.autoscaler_min_spread
	record := {
		"id": "availability.autoscaler_range",
		"decision": change.severity("deny"),
		"actual": sprintf("%v to %v replicas", [low, high]),
		"limit": sprintf("at least %v between them", [limit.autoscaler_min_spread]),
	}
}

# To no pods at all scales who means to: KEDA's default.
outside if {
	low > 0
	low < limit.autoscaler_min_replicas
}

outside if high > limit.autoscaler_max_replicas

# METADATA
# title: The autoscaler's bounds are out of the environment's
# description: It may leave fewer or start more pods than the environment asks for.
# scope: rule
# custom:
#   id: availability.autoscaler_bounds
#   judges: [manifest]
#   fix: Set the bounds within the environment's, or have the environment's limit changed.
results contains record if {
	not change.is_proposal
	outside
	record := {
		"id": "availability.autoscaler_bounds",
		"decision": limit.autoscaler_decision,
		"actual": sprintf("%v to %v replicas", [low, high]),
		"limit": sprintf("%v to %v replicas", [limit.autoscaler_min_replicas, limit.autoscaler_max_replicas]),
	}
}

# METADATA
# title: The autoscaler's target is not there
# description: Beside it stands no workload of the kind and name that it scales, so it scales nothing.
# scope: rule
# custom:
#   id: availability.autoscaler_target
#   judges: [manifest]
#   fix: Name the workload that it is meant to scale, or remove it.
results contains record if {
	limit.autoscaler_target_wanted
	not change.is_proposal
	replicas.floors[resource.kind]
	replicas.neighbours
	target := resource.manifest.spec.scaleTargetRef
	not stands(target)
	record := {
		"id": "availability.autoscaler_target",
		"decision": limit.autoscaler_decision,
		"actual": sprintf("no %v %v beside it", [object.get(target, "kind", "Deployment"), object.get(target, "name", "")]),
		"limit": "a workload that it scales",
	}
}

stands(target) if {
	some neighbour in replicas.beside
	neighbour.kind == object.get(target, "kind", "Deployment")
	neighbour.metadata.name == target.name
}
