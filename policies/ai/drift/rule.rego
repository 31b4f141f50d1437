# Whether what a model is given still looks like what it was made of.
# How drift is measured is not judged: the figure is the caller's, or that of the model's card.
package finops.rules.ai.drift

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.model
import data.finops.lib.number

limit := limits.of("ai")

evaluable if {
	limit.metrics_decision in {"deny", "needs_approval"}
	is_number(limit.max_drift_share)
	limit.max_drift_share >= 0
}

share := number.plain(model.figure("drift_share"))

# METADATA
# title: The model's inputs have drifted
# description: >-
#   So many of the features that the model is given no longer look like those it was made of that its
#   answers are no longer those that were tested.
# scope: rule
# custom:
#   id: ai.drift
#   judges: [proposal, manifest]
#   fix: Train the model anew on what it is given now, or have its owner accept the drift.
results contains record if {
	share > limit.max_drift_share
	record := {
		"id": "ai.drift",
		"decision": change.severity(limit.metrics_decision),
		"actual": sprintf("%s of features", [number.percent(share)]),
		"limit": sprintf("at most %s", [number.percent(limit.max_drift_share)]),
	}
}

# METADATA
# title: The model's drift cannot be read
# description: What is given as the share of drifting features is no number.
# scope: rule
# custom:
#   id: ai.drift_unreadable
#   judges: [proposal, manifest]
#   fix: Give the share as a number in [0, 1].
results contains record if {
	given := model.figure("drift_share")
	not share >= 0
	record := {
		"id": "ai.drift_unreadable",
		"decision": "needs_approval",
		"actual": substring(sprintf("%v", [given]), 0, 80),
		"limit": "a share in [0, 1]",
	}
}
