# Models: what is one, what it says of itself, what was measured of it.
# Which kinds, images and devices give one away is data; no rule and no threshold.
package finops.lib.model

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.number
import data.finops.lib.resource

limit := limits.of("ai")

# Its own word counts before what it looks like.
named := words[0] if {
	words := [word |
		some source in [resource.annotations, resource.labels]
		some key in limit.model_keys
		is_string(source[key])
		word := lower(trim_space(source[key]))
	]
}

is_model if {
	named
	not named in {"", "false", "no", "none"}
}

is_model if {
	not named
	looks_like_one
}

looks_like_one if resource.kind in limit.kinds

looks_like_one if lower(resource.label(limit.component_keys)) in limit.components

looks_like_one if {
	some container in resource.containers
	is_string(container.image)
	some pattern in limit.images
	regex.match(sprintf("^(.*/)?(%s)(:.*|@.*)?$", [pattern]), lower(container.image))
}

looks_like_one if {
	some container in resource.containers
	some side in ["requests", "limits"]
	some device, amount in resource.maps(object.get(container, ["resources", side], {}))
	number.quantity(amount) > 0
	some pattern in limit.devices
	regex.match(sprintf("^(%s)$", [pattern]), device)
}

# Where it says things of itself: as annotation, as label, in the fields of its card. Rules, for the
# embedded engine: a function that another module calls does not find what its own module imports.
statements := [resource.annotations, resource.labels]

default card_fields := {}

card_fields := resource.maps(object.get(resource.manifest, "spec", {})) if {
	resource.kind in limit.card_kinds
}

# Does it say something under one of `keys`?
said(keys) if {
	some source in statements
	text := resource.label_of(source, keys)
	is_said(text)
}

said(keys) if {
	some field, value in card_fields
	some key in keys
	resource.plain_key(key) == resource.plain_key(field)
	is_said(value)
}

is_said(text) if {
	is_string(text)
	not lower(trim_space(text)) in placeholders
}

is_said(value) if {
	is_array(value)
	count(value) > 0
}

is_said(value) if {
	is_object(value)
	count(value) > 0
}

placeholders := {"", "false"} | {word | some word in limits.of("labels").placeholders}

# Papers are asked for with what is deployed and with what makes it dearer. A saving does not wait
# for them.
papers_are_due if {
	is_model
	not change.is_proposal
}

papers_are_due if {
	is_model
	change.raises_spend
}

# Figures of its card, and before those what the caller measured.
figures := object.union(of_card, resource.maps(object.get(input, ["context", "model"], {})))

default of_card := {}

of_card := resource.maps(card_fields.metrics)

# Undefined where there is none.
figure(name) := value if {
	value := figures[name]
	value != null
}
