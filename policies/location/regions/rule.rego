# Where data may be: regions allowed in an environment, and those that a label binds data to.
# Which regions, places and classes: limits/data.yaml. How far a region is, is not judged.
package finops.rules.location.regions

import rego.v1

import data.finops.lib.change
import data.finops.lib.cloud
import data.finops.lib.limits
import data.finops.lib.resource

limit := limits.of("location")

evaluable if {
	limit.decision in {"deny", "needs_approval"}
	every list in [limit.within, limit.residency_keys, limit.class_keys, limit.global_kinds] {
		is_array(list)
	}
	every mapping in [limit.places, limit.classes] {
		is_object(mapping)
		every list in mapping {
			is_array(list)
		}
	}
	every pattern in [pattern | some list in [within, limit.global_kinds]; some pattern in list] {
		is_boolean(regex.match(pattern, ""))
	}
}

within := [entry | is_array(limit.within); some entry in limit.within]

# Names of places and regions that its labels bind it to: by residency, else by class of data.
bound := names(resource.label(limit.residency_keys)) if {
	resource.label(limit.residency_keys)
} else := limit.classes[lower(resource.label(limit.class_keys))]

names(text) := [name |
	some part in regex.split(`[_,;\s]+`, lower(text))
	name := trim_space(part)
	name != ""
]

# A place by its name, else a regular expression where the limits say it, a region where a label does.
held_by(entry, region) if cloud.matches(limit.places[entry], region)

held_by(entry, region) if {
	not limit.places[entry]
	cloud.matches([entry], region)
}

stays(region) if {
	some name in bound
	cloud.matches(limit.places[name], region)
}

stays(region) if {
	some name in bound
	cloud.region_of(name) == region
}

# A name that no list of places has and that is no region either.
unknown_names := [name |
	some name in bound
	not limit.places[name]
	not regex.match(`-|[0-9]|(east|west|north|south|central)`, name)
]

wanted contains entry if some entry in within

wanted contains name if some name in bound

in_no_region if cloud.matches(limit.global_kinds, cloud.kind_name)

in_no_region if cloud.regions == {"global"}

# Who moves a resource out is refused also where that makes it no dearer.
decision(region) := limit.decision if {
	change.is_proposal
	cloud.region_of(input.proposal.proposed) == region
} else := change.severity(limit.decision)

# METADATA
# title: The region is not allowed here
# description: The resource is in a region that the environment's list does not have.
# scope: rule
# custom:
#   id: location.region
#   judges: [proposal, manifest]
#   fix: Declare the resource in an allowed region.
results contains record if {
	not in_no_region
	some region in cloud.regions
	some entry in within
	not held_by(entry, region)
	record := {
		"id": "location.region",
		"decision": decision(region),
		"actual": region,
		"limit": sprintf("a region of %s", [entry]),
	}
}

# METADATA
# title: Data would leave where it has to stay
# description: >-
#   A label of the resource says where its data has to stay, or of which class it is, and its region
#   is none of those.
# scope: rule
# custom:
#   id: location.residency
#   judges: [proposal, manifest]
#   fix: Declare the resource in a region of that place, or have the label mended by the data's owner.
results contains record if {
	bound
	count(unknown_names) == 0
	not in_no_region
	some region in cloud.regions
	not stays(region)
	record := {
		"id": "location.residency",
		"decision": decision(region),
		"actual": region,
		"limit": sprintf("data stays in %s", [concat(" or ", bound)]),
	}
}

# METADATA
# title: Where the resource is, or has to be, is not known
# description: >-
#   Its data may be in some regions only, and its own region is not declared, is known only when the
#   change is applied, or the label names no known place. Pods are where their cluster is: they are
#   asked for a region only where they name one.
# scope: rule
# custom:
#   id: location.region_unknown
#   judges: [proposal, manifest]
#   fix: Declare the region in plain words, and label the data with a known place or region.
results contains record if {
	count(wanted) > 0
	not in_no_region
	some what in unknowns
	record := {
		"id": "location.region_unknown",
		"decision": "needs_approval",
		"actual": what,
		"limit": sprintf("a region of %s", [concat(", ", sort(wanted))]),
	}
}

unknowns contains substring(sprintf("a region that reads %v", [place]), 0, 100) if some place in cloud.unreadable_places

unknowns contains "no region is declared" if {
	cloud.attributes
	count(cloud.places) == 0
}

unknowns contains sprintf("a label that names no known place: %s", [name]) if some name in unknown_names
