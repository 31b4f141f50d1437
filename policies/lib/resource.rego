# The resource that is judged: its labels wherever they are kept, its pods, its values.
# No rule and no limit.
package finops.lib.resource

import rego.v1

default manifest := {}

manifest := input.resource.manifest if is_object(input.resource.manifest)

kind := input.resource.kind

api_group := split(api_version, "/")[0] if {
	is_string(api_version)
	contains(api_version, "/")
}

api_version := object.get(manifest, "apiVersion", object.get(input.resource, "api_version", ""))

# Its own labels, those of its namespace where it has none of that key.
labels := object.union(maps(object.get(input.resource, "namespace_labels", {})), own_labels)

# Tags of a managed cloud resource, labels of the pods, labels of the resource: the later ones win.
own_labels := object.union_n([maps(source) | some source in label_sources])

label_sources := [
	object.get(manifest, ["spec", "forProvider", "tags"], {}),
	object.get(manifest, ["spec", "forProvider", "labels"], {}),
	object.get(manifest, ["spec", "tags"], {}),
	object.get(manifest, ["spec", "jobTemplate", "spec", "template", "metadata", "labels"], {}),
	object.get(manifest, ["spec", "template", "metadata", "labels"], {}),
	object.get(manifest, ["metadata", "labels"], {}),
	object.get(input.resource, "labels", {}),
]

annotations := object.union_n([maps(source) | some source in annotation_sources])

annotation_sources := [
	object.get(manifest, ["spec", "jobTemplate", "spec", "template", "metadata", "annotations"], {}),
	object.get(manifest, ["spec", "template", "metadata", "annotations"], {}),
	object.get(manifest, ["metadata", "annotations"], {}),
	object.get(input.resource, "annotations", {}),
]

# Tags come as a map, or as a list of key and value.
maps(source) := source if is_object(source)

maps(source) := {} if {
	not is_object(source)
	not is_array(source)
}

maps(source) := {key: value |
	some item in source
	is_object(item)
	key := object.get(item, "key", object.get(item, "Key", null))
	is_string(key)
	value := object.get(item, "value", object.get(item, "Value", ""))
} if is_array(source)

# The value of the first of `keys` that the resource or its namespace carries.
label(keys) := label_of(labels, keys)

# The value of the first of `keys` among `candidates`, however the key is spelled.
label_of(candidates, keys) := values[0] if {
	values := [value |
		some key in keys
		some candidate, value in candidates
		is_string(value)
		trim_space(value) != ""
		plain_key(candidate) == plain_key(key)
	]
}

plain_key(key) := replace(replace(lower(parts[count(parts) - 1]), "-", ""), "_", "") if {
	parts := split(key, "/")
}

# Does one of `keys`, spelled exactly so, say "true" in labels or annotations?
says_true(keys) if {
	some key in keys
	labels[key] == "true"
}

says_true(keys) if {
	some key in keys
	annotations[key] == "true"
}

# Pod specs and what holds containers like one, wherever the kind keeps it.
pod_specs := [value |
	some path in [
		["spec"],
		["spec", "template", "spec"],
		["spec", "jobTemplate", "spec", "template", "spec"],
	]
	value := object.get(manifest, path, {})
	is_object(value)
	is_array(object.get(value, "containers", null))
]

containers := [container |
	some spec in pod_specs
	some container in spec.containers
	is_object(container)
]
