# How much harm a wrong change could do: large cuts, and critical resources in production.
# A person decides there; nothing is refused.
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
