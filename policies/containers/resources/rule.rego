# What containers ask for and may take: whether it is said, how much it is, and how far limits are
# above requests. Whether it fits what they use is the business of sizing.
package finops.rules.containers.resources

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.number
import data.finops.lib.resource

limit := limits.of("containers")

evaluable if {
	limit.decision in {"deny", "needs_approval"}
	is_array(limit.required_requests)
	is_array(limit.required_limits)
	every amounts in [limit.max_requests, limit.max_limits, limit.max_ratios] {
		is_object(amounts)
		every amount in amounts {
			is_number(amount)
			amount >= 0
		}
	}
}

# Those that start a pod count as well: they get their resources from the same nodes.
containers contains container if {
	not change.is_proposal
	some spec in resource.pod_specs
	some key in ["containers", "initContainers"]
	some container in object.get(spec, key, [])
	is_object(container)
}

required := {"requests": limit.required_requests, "limits": limit.required_limits}

ceilings := {"requests": limit.max_requests, "limits": limit.max_limits}

given(container, side, name) := value if {
	value := object.get(container, ["resources", side, name], null)
	value != null
}

named(container) := object.get(container, "name", "")

# METADATA
# title: A container does not say what it needs
# description: >-
#   Without requests nobody can share out what a node costs, and nothing is kept free for the
#   container; without limits one container takes what others were promised.
# scope: rule
# custom:
#   id: containers.required
#   judges: [manifest]
#   fix: Declare the missing resources of each container that is named.
results contains record if {
	missing := sort([sprintf("%v: %s.%s", [named(container), side, name]) |
		some container in containers
		some side, names in required
		some name in names
		not given(container, side, name)
	])
	count(missing) > 0
	record := {
		"id": "containers.required",
		"decision": limit.decision,
		"actual": sprintf("without %s", [concat(", ", missing)]),
		"limit": sprintf("requests of %s, limits of %s", [listed("requests"), listed("limits")]),
	}
}

# Resources that something is held against.
compared[side] contains name if {
	some side, amounts in ceilings
	some name, _ in amounts
}

compared[side] contains name if {
	some side in ["requests", "limits"]
	some name, _ in limit.max_ratios
}

compared[side] contains name if {
	some side, names in required
	some name in names
}

listed(side) := "nothing" if count(required[side]) == 0 else := concat(" and ", required[side])

# METADATA
# title: A container asks for more than one may
# description: The amount is above what the environment lets one container have.
# scope: rule
# custom:
#   id: containers.ceiling
#   judges: [manifest]
#   fix: Lower the amount, split the work, or have the environment's limit changed.
results contains record if {
	some container in containers
	some side, amounts in ceilings
	some name, most in amounts
	value := given(container, side, name)
	number.quantity(value) > most
	record := {
		"id": "containers.ceiling",
		"decision": limit.decision,
		"actual": sprintf("%v: %s.%s of %v", [named(container), side, name, value]),
		"limit": sprintf("at most %v", [most]),
	}
}

# METADATA
# title: What a container asks for cannot be read
# description: What is declared is no quantity, so it can be held against nothing.
# scope: rule
# custom:
#   id: containers.unreadable
#   judges: [manifest]
#   fix: Declare a quantity such as 250m or 512Mi.
results contains record if {
	some container in containers
	some side in ["requests", "limits"]
	some name in compared[side]
	value := given(container, side, name)
	not number.quantity(value) >= 0
	record := {
		"id": "containers.unreadable",
		"decision": limit.decision,
		"actual": substring(sprintf("%v: %s.%s of %v", [named(container), side, name, value]), 0, 120),
		"limit": "a quantity",
	}
}

# METADATA
# title: A container may take far more than it asks for
# description: >-
#   Its limit is so far above its request that a node may promise several times what it has, and no
#   request tells what the container will cost.
# scope: rule
# custom:
#   id: containers.ratio
#   judges: [manifest]
#   fix: Bring the limit and the request closer together.
results contains record if {
	some container in containers
	some name, ratio in limit.max_ratios
	request := number.quantity(given(container, "requests", name))
	most := number.quantity(given(container, "limits", name))

	# To a millionth: exactly the ratio is within it.
	is_number(ratio)
	round((most - (ratio * request)) * 1000000) > 0
	record := {
		"id": "containers.ratio",
		"decision": limit.decision,
		"actual": sprintf("%v: %s of %v for %v asked for", [
			named(container), name,
			given(container, "limits", name), given(container, "requests", name),
		]),
		"limit": sprintf("at most %v times the request", [ratio]),
	}
}
