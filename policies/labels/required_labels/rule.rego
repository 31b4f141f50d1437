# Cost and ownership labels that everything billed has to carry.
# Which labels, on which kinds, under which spellings: limits/data.yaml.
package finops.rules.labels.required_labels

import rego.v1

import data.finops.lib.limits
import data.finops.lib.resource

limit := limits.of("labels")

evaluable if {
	is_object(limit.kinds)
	is_object(limit.keys)
	is_array(limit.other_billed)
	is_array(limit.placeholders)
	limit.decision in {"deny", "needs_approval"}
	is_boolean(limit.namespace_counts)
	is_object(limit.patterns)
	every label in required {
		spellings(label)
	}
}

# A label without spellings goes by its own name: a domain may ask for one that nobody else has.
spellings(label) := limit.keys[label] if is_array(limit.keys[label])

spellings(label) := [label] if not limit.keys[label]

# METADATA
# title: Cost and ownership labels are missing
# description: >-
#   Spend that names no team, environment and cost centre can be charged to nobody, and a change to
#   it has nobody to review it. Labels count on the resource, on its pods and among its tags.
# scope: rule
# custom:
#   id: labels.required
#   judges: [proposal, manifest]
#   fix: Add the missing labels to metadata.labels of the resource.
results contains record if {
	count(missing) > 0
	record := {
		"id": "labels.required",
		"decision": limit.decision,
		"actual": sprintf("without %s", [concat(", ", missing)]),
		"limit": sprintf("labels %s", [concat(", ", required)]),
		"fix": sprintf("Add %s to metadata.labels of the resource.", [concat(", ", missing)]),
	}
}

default required := []

required := limit.kinds[resource.kind] if {
	limit.kinds[resource.kind]
	not is_managed
} else := array.concat(listed, [label | some label in limit.other_billed; not label in listed]) if {
	is_managed
	listed := object.get(limit.kinds, resource.kind, [])
}

# A managed cloud resource carries what all of them do, and what its kind does.
is_managed if is_object(resource.manifest.spec.forProvider)

missing := [label |
	some label in required
	not present(label)
]

counted := resource.labels if limit.namespace_counts else := resource.own_labels

# One of its spellings names somebody, whatever another says.
present(label) if {
	some key in spellings(label)
	value := resource.label_of(counted, [key])
	not lower(trim_space(value)) in {placeholder | some placeholder in limit.placeholders}
	fits(label, value)
}

fits(label, value) if regex.match(limit.patterns[label], value)

fits(label, _) if not limit.patterns[label]
