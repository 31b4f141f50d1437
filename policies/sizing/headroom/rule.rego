# Room left between what was observed and what a container will be guaranteed.
# The observed figures are those of the proposal's evidence; how they were found is not judged.
package finops.rules.sizing.headroom

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.number

limit := limits.of("headroom")

evaluable if {
	every share in [limit.cpu_min_share, limit.memory_min_share] {
		is_number(share)
		share >= 0
	}
	every candidate in array.concat(limit.cpu_figures, limit.memory_figures) {
		is_string(candidate.name)
		is_number(candidate.unit)
		candidate.unit > 0
	}
}

# Requests, and memory limits: a limit below what is used ends the container.
measure := "cpu" if change.field_ends(".requests.cpu")

measure := "memory" if change.field_ends(".requests.memory")

measure := "memory" if change.field_ends(".limits.memory")

min_share := limit[sprintf("%s_min_share", [measure])]

wanted := limit[sprintf("%s_figures", [measure])]

figure := [candidate |
	some candidate in wanted
	is_number(input.proposal.evidence.figures[candidate.name])
][0]

observed := input.proposal.evidence.figures[figure.name] * figure.unit

# To a millionth: an amount that is exactly enough is enough.
headroom := round(((change.proposed - observed) / observed) * 1000000) / 1000000 if observed > 0

headroom := 1 if {
	observed == 0
	change.proposed > 0
}

kept if headroom >= min_share

# A raise that is still too small is better than what is there: a person may take it.
decision := "needs_approval" if {
	change.proposed > change.current
} else := "deny"

in_units(amount) := sprintf("%v cores", [round(amount * 1000) / 1000]) if measure == "cpu"

in_units(amount) := sprintf("%s MiB", [number.two_decimals(amount / 1048576)]) if measure == "memory"

actual := sprintf(
	"%s for %s observed (%s): %s above",
	[in_units(change.proposed), in_units(observed), figure.name, number.percent(headroom)],
)

# METADATA
# title: Too little headroom after the change
# description: >-
#   The proposed amount leaves less above what was observed than the environment asks for, so the
#   next busier day would throttle or end the container.
# scope: rule
# custom:
#   id: sizing.headroom
#   judges: [proposal]
#   fix: Propose an amount with the headroom asked for.
results contains record if {
	headroom < min_share
	record := {
		"id": "sizing.headroom",
		"decision": decision,
		"actual": actual,
		"limit": sprintf("at least %s above", [number.percent(min_share)]),
	}
}

# METADATA
# title: Headroom is kept after the change
# description: The proposed amount leaves at least what the environment asks for.
# scope: rule
# custom:
#   id: sizing.headroom_kept
#   judges: [proposal]
#   fix: Nothing to do.
results contains record if {
	kept
	record := {
		"id": "sizing.headroom_kept",
		"decision": "allow",
		"actual": actual,
		"limit": sprintf("at least %s above", [number.percent(min_share)]),
	}
}

# METADATA
# title: Headroom after the change is not known
# description: >-
#   The evidence lacks the observed figure, or the proposed amount is not one, so nobody can say
#   what room the change leaves.
# scope: rule
# custom:
#   id: sizing.headroom_unknown
#   judges: [proposal]
#   fix: Measure the container first, then propose.
results contains record if {
	measure
	not headroom < min_share
	not kept
	record := {
		"id": "sizing.headroom_unknown",
		"decision": "deny",
		"actual": sprintf("%s without an observed figure to compare it with", [measure]),
		"limit": sprintf("evidence with %s", [concat(" or ", [candidate.name | some candidate in wanted])]),
	}
}
