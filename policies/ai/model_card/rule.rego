# Whether a model has a card: what it is for, what it was made of, where it fails.
# Whether what it says is true is for people to read.
package finops.rules.ai.model_card

import rego.v1

import data.finops.lib.limits
import data.finops.lib.model
import data.finops.lib.resource

limit := limits.of("ai")

evaluable if {
	limit.papers_decision in {"deny", "needs_approval"}
	is_boolean(limit.card_wanted)
	is_array(limit.card_keys)
}

there if model.said(limit.card_keys)

# A card is its own.
there if resource.kind in limit.card_kinds

# METADATA
# title: The model has no card
# description: >-
#   Nobody can tell what the model is for, what it was trained on and where it fails.
# scope: rule
# custom:
#   id: ai.model_card
#   judges: [proposal, manifest]
#   fix: Add the annotation finops.io/model-card to the resource, with the address of its card.
results contains record if {
	limit.card_wanted
	model.papers_are_due
	not there
	record := {
		"id": "ai.model_card",
		"decision": limit.papers_decision,
		"actual": "a model without one",
		"limit": sprintf("an annotation %s", [concat(" or ", [key | some key in limit.card_keys])]),
	}
}
