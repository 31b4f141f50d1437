# How many pods a workload has, and what keeps them: autoscalers and disruption budgets beside it.
# No rule and no limit.
package finops.lib.replicas

import rego.v1

import data.finops.lib.change
import data.finops.lib.number
import data.finops.lib.resource

scaled_kinds := {"Deployment", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"}

# What says how many pods there are at least, by kind, and what holds where it is not said.
floors := {
	"HorizontalPodAutoscaler": [["spec", "minReplicas"], 1],
	"ScaledObject": [["spec", "minReplicaCount"], 0],
}

ceilings := {
	"HorizontalPodAutoscaler": [["spec", "maxReplicas"], null],
	"ScaledObject": [["spec", "maxReplicaCount"], 100],
}

declared := number.quantity(object.get(resource.manifest, ["spec", "replicas"], 1)) if {
	resource.kind in scaled_kinds
}

minimum(scaler) := number.quantity(object.get(scaler, floor[0], floor[1])) if floor := floors[scaler.kind]

maximum(scaler) := number.quantity(object.get(scaler, ceiling[0], ceiling[1])) if ceiling := ceilings[scaler.kind]

# The manifest's own kind counts, and where it has none, the one it was given under.
itself := object.union({"kind": resource.kind}, resource.manifest)

# Does the change set how many there are?
changed if {
	some field in [".replicas", ".minReplicas", ".minReplicaCount"]
	change.field_ends(field)
}

# Manifests beside it that select or target it. Undefined where nobody looked.
neighbours := input.context.neighbours if is_array(input.context.neighbours)

beside contains neighbour if {
	some neighbour in neighbours
	is_object(neighbour)
	is_object(neighbour.spec)
	same_namespace(neighbour)
}

same_namespace(neighbour) if {
	object.get(neighbour, ["metadata", "namespace"], namespace) == namespace
}

namespace := object.get(resource.manifest, ["metadata", "namespace"], object.get(input.resource, "namespace", ""))

autoscalers contains neighbour if {
	some neighbour in beside
	floors[neighbour.kind]
	target := neighbour.spec.scaleTargetRef
	target.name == object.get(resource.manifest, ["metadata", "name"], object.get(input.resource, "name", ""))
	object.get(target, "kind", "Deployment") == resource.kind
}

# Pods that there are at the least: an autoscaler's floor stands in for what the workload declares.
fewest := min({minimum(scaler) | some scaler in autoscalers}) if {
	count(autoscalers) > 0
} else := declared if {
	declared
} else := minimum(itself)

budgets contains neighbour if {
	some neighbour in beside
	neighbour.kind == "PodDisruptionBudget"
	selects(object.get(neighbour.spec, "selector", {}))
}

# Labels of an autoscaler's pods are not known here: what is beside it was chosen by who gave it.
selects(_) if not resource.kind in scaled_kinds

selects(selector) if {
	resource.kind in scaled_kinds
	every key, value in object.get(selector, "matchLabels", {}) {
		pod_labels[key] == value
	}
	every term in object.get(selector, "matchExpressions", []) {
		meets(term)
	}
}

pod_labels := resource.maps(object.get(resource.manifest, ["spec", "template", "metadata", "labels"], {}))

meets(term) if {
	term.operator == "In"
	pod_labels[term.key] in term.values
}

meets(term) if {
	term.operator == "NotIn"
	not object.get(pod_labels, term.key, null) in term.values
}

meets(term) if {
	term.operator == "Exists"
	pod_labels[term.key]
}

meets(term) if {
	term.operator == "DoesNotExist"
	not pod_labels[term.key]
}

# Pods that may be taken away at once from `pods` under the budget: shares are rounded up
# (https://kubernetes.io/docs/tasks/run-application/configure-pdb).
spare(budget, pods) := amount(budget.spec.maxUnavailable, pods) if {
	object.get(budget.spec, "maxUnavailable", null) != null
} else := pods - amount(object.get(budget.spec, "minAvailable", 0), pods)

amount(value, _) := value if is_number(value)

amount(value, pods) := ceil((number.plain(trim_suffix(value, "%")) * pods) / 100) if {
	is_string(value)
	endswith(value, "%")
}

amount(value, _) := number.plain(value) if {
	is_string(value)
	not endswith(value, "%")
}
