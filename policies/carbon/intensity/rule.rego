# How dirty the grid is where work runs that could wait or run elsewhere, and what a change adds.
# Intensities are facts (limits/grid); which work is bound to its place, and how much is too much, are
# limits. Where a region may be at all is the business of location.
package finops.rules.carbon.intensity

import rego.v1

import data.finops.lib.change
import data.finops.lib.cloud
import data.finops.lib.limits
import data.finops.lib.number
import data.finops.lib.resource

limit := limits.of("carbon")

grams := data.limits.grid.gco2e_per_kwh

evaluable if {
	is_object(grams)
	every amount in [limit.max_gco2e_per_kwh, limit.rise_share, limit.refused_rise_share, limit.max_added_kg_month] {
		is_number(amount)
		amount >= 0
	}
	every list in [limit.preferred, limit.batch_kinds, limit.latency_keys, limit.movable_keys] {
		is_array(list)
	}
}

says(keys, word) if lower(trim_space(resource.label_of(resource.annotations, keys))) == word

says(keys, word) if lower(trim_space(resource.label(keys))) == word

# Work that is bound to its place answers somebody who waits.
movable if says(limit.latency_keys, "false")

movable if says(limit.movable_keys, "true")

movable if {
	resource.kind in limit.batch_kinds
	not says(limit.latency_keys, "true")
	not says(limit.movable_keys, "false")
}

# METADATA
# title: Work that could run elsewhere is where the grid is dirty
# description: >-
#   A batch job, or work that its labels call movable, is declared in a region whose electricity
#   emits more than asked for.
# scope: rule
# custom:
#   id: carbon.dirty_region
#   judges: [manifest]
#   fix: Declare it in a cleaner region, or label it finops.io/latency-bound with the value "true".
results contains record if {
	not change.is_proposal
	movable
	some region in cloud.regions
	grams[region] > limit.max_gco2e_per_kwh
	record := {
		"id": "carbon.dirty_region",
		"decision": "needs_approval",
		"actual": sprintf("%s: %v gCO2e/kWh", [region, grams[region]]),
		"limit": sprintf("%v gCO2e/kWh", [limit.max_gco2e_per_kwh]),
	}
}

# METADATA
# title: Work that could run elsewhere is in no preferred region
# description: There are regions that movable work is wanted in, and it is declared in another one.
# scope: rule
# custom:
#   id: carbon.not_preferred
#   judges: [manifest]
#   fix: Declare it in a preferred region, or label it finops.io/latency-bound with the value "true".
results contains record if {
	not change.is_proposal
	movable
	count(limit.preferred) > 0
	some region in cloud.regions
	not cloud.matches(limit.preferred, region)
	record := {
		"id": "carbon.not_preferred",
		"decision": "needs_approval",
		"actual": region,
		"limit": sprintf("a region of %s", [concat(", ", limit.preferred)]),
	}
}

from := cloud.region_of(input.proposal.current)

to := cloud.region_of(input.proposal.proposed)

# To a millionth: a rise of exactly a tenth is a tenth.
rise := round(((grams[to] - grams[from]) / grams[from]) * 1000000) / 1000000

move_decision := "deny" if {
	rise > limit.refused_rise_share
	grams[to] > limit.max_gco2e_per_kwh
} else := "needs_approval" if {
	rise > limit.rise_share
}

# METADATA
# title: The move is to a dirtier grid
# description: >-
#   The electricity of the new region emits more than that of the present one. A move to one that is
#   far dirtier, and dirtier than work may be put into, is refused.
# scope: rule
# custom:
#   id: carbon.dirtier_move
#   judges: [proposal]
#   fix: Move to a region with a cleaner grid, or have its owner approve what it emits.
results contains record if {
	record := {
		"id": "carbon.dirtier_move",
		"decision": move_decision,
		"actual": sprintf("%s: %v gCO2e/kWh, %s: %v", [from, grams[from], to, grams[to]]),
		"limit": sprintf("at most %s more", [number.percent(limit.rise_share)]),
	}
}

# METADATA
# title: What the new region's grid emits is not known
# description: The present region's intensity is known and the new one's is not, so nothing can be compared.
# scope: rule
# custom:
#   id: carbon.move_unknown
#   judges: [proposal]
#   fix: Add the region's intensity to limits/grid, with its source.
results contains record if {
	grams[from]
	last := split(cloud.plain_field, ".")
	cloud.region_attributes[last[count(last) - 1]]
	not grams[to]
	record := {
		"id": "carbon.move_unknown",
		"decision": "needs_approval",
		"actual": substring(sprintf("%v", [input.proposal.proposed]), 0, 80),
		"limit": sprintf("a region whose intensity is known; %s has %v gCO2e/kWh", [from, grams[from]]),
	}
}

added_kg := 0 - number.plain(input.proposal.carbon_kg_per_month.mid)

# METADATA
# title: The change adds much carbon
# description: What the change is expected to emit more in a month is above what goes unasked.
# scope: rule
# custom:
#   id: carbon.added
#   judges: [proposal]
#   fix: Have its owner approve what it emits, or propose less.
results contains record if {
	added_kg > limit.max_added_kg_month
	record := {
		"id": "carbon.added",
		"decision": "needs_approval",
		"actual": sprintf("%s kgCO2e a month more", [number.two_decimals(added_kg)]),
		"limit": sprintf("%v kgCO2e a month more", [limit.max_added_kg_month]),
	}
}
