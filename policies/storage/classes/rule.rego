# Which storage classes claims may ask for: a class is a price, and none is the cluster's default.
# What a class does with the data is the business of encryption.
package finops.rules.storage.classes

import rego.v1

import data.finops.lib.change
import data.finops.lib.cloud
import data.finops.lib.limits
import data.finops.lib.replicas
import data.finops.lib.resource

limit := limits.of("storage_classes")

evaluable if {
	limit.decision in {"deny", "needs_approval"}
	is_boolean(limit.named)
	is_boolean(limit.declared)
	is_array(limit.allowed)
	is_array(limit.refused)
}

# What asks for a volume: a claim, and those that a StatefulSet makes.
claims contains claim if {
	resource.kind == "PersistentVolumeClaim"
	claim := resource.manifest.spec
}

claims contains claim if {
	resource.kind == "StatefulSet"
	some template in object.get(resource.manifest, ["spec", "volumeClaimTemplates"], [])
	claim := template.spec
}

asked contains object.get(claim, "storageClassName", null) if {
	some claim in claims
	is_object(claim)
}

faults contains "no storage class is named" if {
	limit.named
	null in asked
}

faults contains sprintf("%v is refused", [class]) if {
	some class in asked
	is_string(class)
	cloud.matches(limit.refused, class)
}

faults contains sprintf("%v is not of the allowed", [class]) if {
	count(limit.allowed) > 0
	some class in asked
	is_string(class)
	not cloud.matches(limit.allowed, class)
}

faults contains sprintf("%v is not declared beside it", [class]) if {
	limit.declared
	replicas.neighbours
	some class in asked
	is_string(class)
	not class in declared
}

declared contains name if {
	some neighbour in replicas.neighbours
	neighbour.kind == "StorageClass"
	name := neighbour.metadata.name
}

# METADATA
# title: The storage class is not one to ask for
# description: >-
#   The claim names a class that the environment refuses or does not list, one that nobody declares,
#   or none where one has to be named.
# scope: rule
# custom:
#   id: storage.class
#   judges: [proposal, manifest]
#   fix: Name an allowed class in storageClassName.
results contains record if {
	some fault in faults
	record := {
		"id": "storage.class",
		"decision": change.severity(limit.decision),
		"actual": fault,
		"limit": words,
	}
}

words := sprintf("a class of %s", [concat(", ", limit.allowed)]) if {
	count(limit.allowed) > 0
} else := "a class that is there and not refused"
