# Models that nobody answers for: shadow AI.
# What a model is, is told by lib/model; what its team costs, by spend.
package finops.rules.ai.owner

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.model

limit := limits.of("ai")

evaluable if {
	limit.owner_decision in {"deny", "needs_approval"}
	every list in [limit.owner_keys, limit.kinds, limit.images, limit.devices, limit.components, limit.component_keys, limit.model_keys, limit.card_kinds] {
		is_array(list)
	}
	every pattern in [pattern | some list in [limit.images, limit.devices]; some pattern in list] {
		is_boolean(regex.match(pattern, ""))
	}
}

fault := "a model without a registered owner" if {
	model.is_model
	not model.said(limit.owner_keys)
	not model.is_said(model.figure("owner"))
} else := "a model that its registry does not know" if {
	model.figure("registered") == false
}

# METADATA
# title: Shadow AI, a model without a registered owner
# description: >-
#   What serves or trains a model names nobody who answers for it, or the model registry does not know
#   it: nobody is told when it drifts, discriminates or spends.
# scope: rule
# custom:
#   id: ai.owner
#   judges: [proposal, manifest]
#   fix: >-
#     Register the model and label it with its owner (finops.io/model-owner); what is no model says
#     so with the annotation finops.io/model and the value "none".
results contains record if {
	record := {
		"id": "ai.owner",
		"decision": change.severity(limit.owner_decision),
		"actual": fault,
		"limit": sprintf("a label %s", [concat(" or ", [key | some key in limit.owner_keys])]),
	}
}
