# How much harm a wrong change could do: large cuts, critical resources in production, many resources,
# much of what a team has. A person decides there; nothing is refused. Money is next door.
package finops.rules.change.blast_radius

import rego.v1

import data.finops.lib.change
import data.finops.lib.environment
import data.finops.lib.limits
import data.finops.lib.number
import data.finops.lib.resource

limit := limits.of("blast_radius")

evaluable if {
	is_number(limit.max_cut_share)
	limit.max_cut_share >= 0
	limit.max_cut_share <= 1
	is_array(limit.critical_environments)
	is_array(limit.critical_keys)
	is_array(limit.critical_values)
	is_number(limit.max_resources)
	limit.max_resources >= 0
	is_number(limit.max_capacity_share)
	limit.max_capacity_share >= 0
	readable
}

readable if not change.is_proposal

# What is not known is not there; what is there and no number cannot be held against a limit.
readable if {
	is_number(object.get(input.context, "resources", 0))
	is_object(object.get(input.context, "capacity", {}))
	every amounts in change.capacity {
		number.plain(amounts.before) >= 0
		number.plain(amounts.after) >= 0
	}
}

# METADATA
# title: A large cut needs a person
# description: >-
#   The change takes away more of the present value than may be taken at once without a person.
# scope: rule
# custom:
#   id: change.large_cut
#   judges: [proposal]
#   fix: Have the owner approve, or cut in smaller steps.
results contains record if {
	change.cut_share > limit.max_cut_share
	record := {
		"id": "change.large_cut",
		"decision": "needs_approval",
		"actual": sprintf("cut by %s", [number.percent(change.cut_share)]),
		"limit": sprintf("at most %s at once", [number.percent(limit.max_cut_share)]),
	}
}

# METADATA
# title: A critical resource needs a person
# description: The resource is labelled critical and the environment is one where that counts.
# scope: rule
# custom:
#   id: change.critical
#   judges: [proposal]
#   fix: Have the owner approve.
results contains record if {
	change.is_proposal
	environment.name in limit.critical_environments
	criticality := resource.label(limit.critical_keys)
	lower(trim_space(criticality)) in limit.critical_values
	record := {
		"id": "change.critical",
		"decision": "needs_approval",
		"actual": sprintf("%s in %s", [substring(criticality, 0, 80), environment.name]),
		"limit": "no change of critical resources without a person",
	}
}

# METADATA
# title: The change reaches many resources
# description: >-
#   The value that is changed is shown by more resources than may be changed at once without a
#   person.
# scope: rule
# custom:
#   id: change.resources
#   judges: [proposal]
#   fix: Have the owners approve, or give the resources values of their own first.
results contains record if {
	change.is_proposal
	input.context.resources > limit.max_resources
	record := {
		"id": "change.resources",
		"decision": "needs_approval",
		"actual": sprintf("%v resources", [input.context.resources]),
		"limit": sprintf("at most %v at once", [limit.max_resources]),
	}
}

# METADATA
# title: The change moves much of what the team has
# description: >-
#   Of the capacity that the team declares, more is taken away or added than may be at once without
#   a person.
# scope: rule
# custom:
#   id: change.capacity
#   judges: [proposal]
#   fix: Have the owner approve, or make the change in smaller steps.
results contains record if {
	some measure, share in change.capacity_shares
	share > limit.max_capacity_share
	record := {
		"id": "change.capacity",
		"decision": "needs_approval",
		"actual": sprintf("%s of the team's %s", [number.percent(share), substring(measure, 0, 40)]),
		"limit": sprintf("at most %s at once", [number.percent(limit.max_capacity_share)]),
	}
}
