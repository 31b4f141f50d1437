# Expensive GPUs and accelerators, which take an approved budget.
# Which are expensive, and where manifests name them: limits/data.yaml.
package finops.rules.compute.gpu_budget

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.resource

limit := limits.of("gpu")

evaluable if {
	is_array(limit.approval_keys)
	is_array(limit.selector_keys)
	is_array(limit.fields)
	limit.decision in {"deny", "needs_approval"}
	every pattern in limit.expensive {
		is_boolean(regex.match(pattern, ""))
	}
}

selector_keys := {key | some key in limit.selector_keys}

# However a tool spells them: instanceType, instance_type.
fields := {plain_field(field) | some field in limit.fields}

plain_field(field) := lower(replace(field, "_", "")) if is_string(field)

# Instance types and accelerators that the manifest asks for, by selector, affinity or field.
# Labels are not asked for: they describe, and select other things.
asked contains value if {
	walk(resource.manifest, [path, node])
	some value in asked_at(path, node)
	is_string(value)
}

asked_at(path, node) := [node] if {
	selector_keys[path[count(path) - 1]]
	path[count(path) - 2] in {"nodeSelector", "matchLabels"}
}

asked_at(path, node) := [node] if {
	names_type(path)
	is_string(node)
}

asked_at(path, node) := node if {
	names_type(path)
	is_array(node)
}

names_type(path) if {
	fields[plain_field(path[count(path) - 1])]
	not described(path)
}

# The value of a label, a tag or an annotation.
described(path) if path[count(path) - 2] in {"annotations", "labels", "tags"}

# Node affinity, and requirements of node pools: NotIn keeps away from what it names.
asked_at(_, node) := node.values if {
	selector_keys[node.key]
	node.operator == "In"
	is_array(node.values)
}

expensive contains value if {
	some value in asked
	some pattern in limit.expensive
	regex.match(sprintf("^(%s)$", [pattern]), lower(value))
}

approved if resource.says_true(limit.approval_keys)

# METADATA
# title: Expensive GPU without an approved budget
# description: >-
#   The resource asks for an instance type or accelerator of the expensive kind, and carries no
#   label that says its budget was approved.
# scope: rule
# custom:
#   id: compute.gpu_budget
#   judges: [proposal, manifest]
#   fix: >-
#     Have the budget approved and add the label finops.io/budget-approved with the value "true",
#     or choose a cheaper type.
results contains record if {
	count(expensive) > 0
	not approved
	record := {
		"id": "compute.gpu_budget",
		"decision": change.severity(limit.decision),
		"actual": concat(", ", sort(expensive)),
		"limit": sprintf("label %s: \"true\"", [concat(" or ", limit.approval_keys)]),
	}
}

# METADATA
# title: Expensive GPU with an approved budget
# description: The resource asks for an expensive type, and its label says the budget was approved.
# scope: rule
# custom:
#   id: compute.gpu_budget_approved
#   judges: [proposal, manifest]
#   fix: Nothing to do.
results contains record if {
	count(expensive) > 0
	approved
	record := {
		"id": "compute.gpu_budget_approved",
		"decision": "allow",
		"actual": concat(", ", sort(expensive)),
		"limit": sprintf("label %s: \"true\"", [concat(" or ", limit.approval_keys)]),
	}
}
