# Whether a model's answers can be explained.
# Whether what it says is true is for people to read.
package finops.rules.ai.explanation

import rego.v1

import data.finops.lib.limits
import data.finops.lib.model
import data.finops.lib.resource

limit := limits.of("ai")

evaluable if {
	limit.papers_decision in {"deny", "needs_approval"}
	is_boolean(limit.explanation_wanted)
	is_array(limit.explanation_keys)
}

there if model.said(limit.explanation_keys)

# KServe serves explanations beside predictions.
there if is_object(resource.manifest.spec.explainer)

# METADATA
# title: The model's answers cannot be explained
# description: >-
#   Nobody can tell why the model said what it said to whoever asks.
# scope: rule
# custom:
#   id: ai.explanation
#   judges: [proposal, manifest]
#   fix: Add the annotation finops.io/explanation to the resource, with the address of its explanations or the method.
results contains record if {
	limit.explanation_wanted
	model.papers_are_due
	not there
	record := {
		"id": "ai.explanation",
		"decision": limit.papers_decision,
		"actual": "a model without one",
		"limit": sprintf("an annotation %s", [concat(" or ", [key | some key in limit.explanation_keys])]),
	}
}
