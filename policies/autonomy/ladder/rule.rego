# How far automation goes with a change: the rungs that settings, limits, risk and the realised
# record of its kind leave it. The verdict takes the lowest, and more severe rules lower it further.
# Automerge is granted here or nowhere.
package finops.rules.autonomy.ladder

import rego.v1

import data.finops.lib.change
import data.finops.lib.environment
import data.finops.lib.limits
import data.finops.lib.number
import data.finops.lib.rung

limit := limits.of("autonomy")

evaluable if {
	limit.rung in rung.ladder
	every kind_rung in limit.kinds {
		kind_rung in rung.ladder
	}
	every number_of in [
		limit.max_risk.propose,
		limit.max_risk.automerge,
		limit.min_merged,
		limit.min_realised_ratio,
		limit.max_reverted_share,
		limit.automerge_within.cut_share,
		limit.automerge_within.resources,
		limit.automerge_within.capacity_share,
	] {
		is_number(number_of)
		number_of >= 0
	}
	is_object(limit.automerge_money)
	every amount in limit.automerge_money {
		is_number(amount)
	}
	readable
}

readable if not change.is_proposal

readable if {
	is_string(kind)
	is_number(change.cost_month)
}

kind := substring(input.proposal.kind, 0, 80) if is_string(input.proposal.kind)

# By the limits: of everything, and of the kind.
limited := rung.lowest({limit.rung, object.get(limit.kinds, kind, "automerge")})

# By risk, the probability of harm.
by_risk := "automerge" if {
	is_number(input.proposal.risk)
	input.proposal.risk <= limit.max_risk.automerge
} else := "propose" if {
	is_number(input.proposal.risk)
	input.proposal.risk <= limit.max_risk.propose
} else := "advise"

risk := number.percent(input.proposal.risk) if is_number(input.proposal.risk) else := "not known"

# What became of merged changes of this kind, and of those that were the team's: all that there are.
default records := []

records := array.concat([whole], [team | team := whole.team; not team.merged == 0]) if {
	whole := input.context.record
	is_number(whole.merged)
	whole.merged > 0
}

is_good(record) if {
	is_number(record.merged)
	record.merged >= limit.min_merged
	record.merged > 0
	is_number(record.reverts)
	number.plain(record.realised_ratio.low) >= limit.min_realised_ratio
	record.reverts / record.merged <= limit.max_reverted_share
}

record_is_good if {
	count(records) > 0
	every record in records {
		is_good(record)
	}
}

story(record) := sprintf("%v merged, %v reverted, at least %s of what was promised realised", [
	record.merged, record.reverts, share,
]) if {
	is_number(record.merged)
	is_number(record.reverts)
	share := number.percent(number.plain(record.realised_ratio.low))
} else := "its record cannot be read"

# Everything has to be known to be within: what is not known is not small.
within_blast_radius if {
	change.cut_share <= limit.automerge_within.cut_share
	is_number(input.context.resources)
	input.context.resources <= limit.automerge_within.resources
	count(change.capacity_shares) > 0
	every share in change.capacity_shares {
		share <= limit.automerge_within.capacity_share
	}
	abs(change.cost_month) <= most_money
}

default most_money := 0

most_money := limit.automerge_money[change.currency]

# How far everything but the settings lets it go.
policy_rung := rung.lowest({limited, by_risk}) if {
	not at_most_proposed
} else := rung.lowest({limited, by_risk, "propose"})

at_most_proposed if not record_is_good

at_most_proposed if not within_blast_radius

# METADATA
# title: Settings let automation go no further
# description: The estate's settings say how far automation goes at most; policy would go further.
# scope: rule
# custom:
#   id: autonomy.ceiling
#   judges: [proposal]
#   fix: Raise autonomy in finops.yaml.
results contains record if {
	change.is_proposal
	ceiling := rung.known(input.context.ceiling)
	rung.height(ceiling) < rung.height(policy_rung)
	record := {
		"id": "autonomy.ceiling",
		"decision": "allow",
		"rung": ceiling,
		"actual": sprintf("settings go as far as %s", [ceiling]),
		"limit": sprintf("policy goes as far as %s", [policy_rung]),
	}
}

# METADATA
# title: Limits let automation go no further
# description: The environment, the domain or the kind of change is one that goes no further.
# scope: rule
# custom:
#   id: autonomy.limit
#   judges: [proposal]
#   fix: Have the limits of the ladder raised, in limits/data.yaml.
results contains record if {
	change.is_proposal
	limited != "automerge"
	record := {
		"id": "autonomy.limit",
		"decision": "allow",
		"rung": limited,
		"actual": sprintf("%s in %s goes as far as %s", [kind, environment.words, limited]),
		"limit": limited,
	}
}

# METADATA
# title: Its risk lets automation go no further
# description: >-
#   The probability that the change harms is above the one up to which the next rung is open, or it
#   is not known.
# scope: rule
# custom:
#   id: autonomy.risk
#   judges: [proposal]
#   fix: Propose a value with less risk, or have a person take it from the dashboard.
results contains record if {
	change.is_proposal
	by_risk != "automerge"
	record := {
		"id": "autonomy.risk",
		"decision": "allow",
		"rung": by_risk,
		"actual": sprintf("its risk is %s", [risk]),
		"limit": sprintf("at most %s to propose, %s to merge automatically", [
			number.percent(limit.max_risk.propose), number.percent(limit.max_risk.automerge),
		]),
	}
}

# METADATA
# title: No realised record of this kind yet
# description: >-
#   Nothing is merged automatically before merged changes of the same kind have been held against
#   what they promised.
# scope: rule
# custom:
#   id: autonomy.no_record
#   judges: [proposal]
#   fix: Merge changes of this kind by hand, and wait for what they realise.
results contains record if {
	change.is_proposal
	count(records) == 0
	record := {
		"id": "autonomy.no_record",
		"decision": "allow",
		"rung": "propose",
		"actual": sprintf("there is no realised record of %s yet", [kind]),
		"limit": wanted,
	}
}

wanted := sprintf("at least %v merged, at most %s of them reverted, at least %s of what was promised realised", [
	limit.min_merged, number.percent(limit.max_reverted_share), number.percent(limit.min_realised_ratio),
])

# METADATA
# title: The realised record of this kind is not good enough
# description: >-
#   Too few changes of this kind were merged and measured, too many were reverted, or they realised
#   too little of what they promised: in all, or of this team.
# scope: rule
# custom:
#   id: autonomy.record
#   judges: [proposal]
#   fix: Merge changes of this kind by hand until their record is good.
results contains record if {
	change.is_proposal
	some told in records
	not is_good(told)
	record := {
		"id": "autonomy.record",
		"decision": "allow",
		"rung": "propose",
		"actual": sprintf("%s: %s", [kind, story(told)]),
		"limit": wanted,
	}
}

# METADATA
# title: Too much for merging automatically
# description: >-
#   The cut, the resources it reaches, its share of the team's capacity or its money are more than
#   is merged automatically, or not known.
# scope: rule
# custom:
#   id: autonomy.blast_radius
#   judges: [proposal]
#   fix: Make the change smaller, or have a person merge it.
results contains record if {
	change.is_proposal
	record_is_good
	not within_blast_radius
	record := {
		"id": "autonomy.blast_radius",
		"decision": "allow",
		"rung": "propose",
		"actual": sprintf("a cut by %s, %v resources, %s of the team's capacity, %s", [
			cut, object.get(input.context, "resources", "unknown"), largest_share, money(abs(change.cost_month)),
		]),
		"limit": sprintf("a cut by %s, %v resources, %s of the team's capacity, %s", [
			number.percent(limit.automerge_within.cut_share),
			limit.automerge_within.resources,
			number.percent(limit.automerge_within.capacity_share),
			money(most_money),
		]),
	}
}

cut := number.percent(change.cut_share) if change.cut_share else := "an unknown share"

largest_share := number.percent(max([share | some share in change.capacity_shares])) if {
	count(change.capacity_shares) != 0
} else := "an unknown share"

money(amount) := sprintf("%s %s a month", [number.two_decimals(amount), change.currency])

# METADATA
# title: May be merged automatically
# description: >-
#   The realised record of this kind is good, the change is within the blast radius, and risk and
#   limits allow it.
# scope: rule
# custom:
#   id: autonomy.automerge
#   judges: [proposal]
#   fix: Nothing to do.
results contains record if {
	change.is_proposal
	policy_rung == "automerge"
	record := {
		"id": "autonomy.automerge",
		"decision": "allow",
		"rung": "automerge",
		"actual": sprintf("%s: %s", [kind, concat("; of the team ", [story(told) | some told in records])]),
		"limit": wanted,
	}
}
