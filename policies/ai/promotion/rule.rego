# Whether a challenger may take the place of one of our own engines.
# What is measured is the proposal's evidence; how it was measured is not judged.
package finops.rules.ai.promotion

import rego.v1

import data.finops.lib.limits
import data.finops.lib.number

limit := limits.of("promotion")

evaluable if {
	every share in [limit.min_saved_share, limit.max_segment_more_share, limit.max_p_value] {
		is_number(share)
		share >= 0
	}
}

asked if input.proposal.kind == "engine_promotion"

figure(name) := value if {
	value := input.proposal.evidence.figures[name]
	is_number(value)
}

# METADATA
# title: The challenger is worse for one segment
# description: Better on average may not be paid for by one team.
# scope: rule
# custom:
#   id: ai.promotion_segment
#   judges: [proposal]
#   fix: Leave it in shadow, or train it on more of what that segment does.
results contains record if {
	asked
	share := figure("worst_segment_error_more_share")
	share > limit.max_segment_more_share
	record := {
		"id": "ai.promotion_segment",
		"decision": "deny",
		"actual": sprintf("%s more error", [number.percent(share)]),
		"limit": sprintf("at most %s", [number.percent(limit.max_segment_more_share)]),
	}
}

# METADATA
# title: The challenger is not better by enough
# description: Every change of a model has its risk, so a gain must be worth it.
# scope: rule
# custom:
#   id: ai.promotion_gain
#   judges: [proposal]
#   fix: Leave it in shadow until it saves more of the error.
results contains record if {
	asked
	share := figure("error_saved_share")
	share < limit.min_saved_share
	record := {
		"id": "ai.promotion_gain",
		"decision": "deny",
		"actual": sprintf("%s less error", [number.percent(share)]),
		"limit": sprintf("at least %s", [number.percent(limit.min_saved_share)]),
	}
}

# METADATA
# title: The challenger may be better by chance
# description: The paired test does not tell its gain from luck.
# scope: rule
# custom:
#   id: ai.promotion_luck
#   judges: [proposal]
#   fix: Leave it in shadow until more windows have come.
results contains record if {
	asked
	value := figure("p_value")
	value > limit.max_p_value
	record := {
		"id": "ai.promotion_luck",
		"decision": "deny",
		"actual": sprintf("p %v", [round(value * 1000) / 1000]),
		"limit": sprintf("at most %v", [limit.max_p_value]),
	}
}

# METADATA
# title: The new artefact was not compared
# description: A model that was only trained anew has no paired test with the one that it replaces.
# scope: rule
# custom:
#   id: ai.promotion_unmeasured
#   judges: [proposal]
#   fix: Have a person look at its model card.
results contains record if {
	asked
	every name in ["error_saved_share", "p_value"] {
		not figure(name)
	}
	record := {
		"id": "ai.promotion_unmeasured",
		"decision": "needs_approval",
		"actual": "no paired test",
		"limit": "a paired test on the same windows",
	}
}
