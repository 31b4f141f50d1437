# Whether a model declares what data and code it was made of.
# Whether what it says is true is for people to read.
package finops.rules.ai.lineage

import rego.v1

import data.finops.lib.limits
import data.finops.lib.model

limit := limits.of("ai")

evaluable if {
	limit.papers_decision in {"deny", "needs_approval"}
	is_boolean(limit.lineage_wanted)
	is_array(limit.lineage_keys)
}

there if model.said(limit.lineage_keys)

# METADATA
# title: The model's lineage is not declared
# description: >-
#   Nobody can tell which data and code the model was made of, nor what to do when one of them is withdrawn.
# scope: rule
# custom:
#   id: ai.lineage
#   judges: [proposal, manifest]
#   fix: Add the annotation finops.io/lineage to the resource, with the address of what it was made of.
results contains record if {
	limit.lineage_wanted
	model.papers_are_due
	not there
	record := {
		"id": "ai.lineage",
		"decision": limit.papers_decision,
		"actual": "a model without one",
		"limit": sprintf("an annotation %s", [concat(" or ", [key | some key in limit.lineage_keys])]),
	}
}
