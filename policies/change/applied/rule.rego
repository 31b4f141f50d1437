# Whether the manifest that was judged is the one the change would leave behind.
# What the manifest says is the business of the other rules.
package finops.rules.change.applied

import rego.v1

import data.finops.lib.change

evaluable if not change.is_proposal

evaluable if is_string(input.proposal.field)

# METADATA
# title: The change could not be tried on the manifest
# description: >-
#   The value that the proposal means was not found in the resource's manifest, so the other rules
#   saw the resource as it is and not as it would be.
# scope: rule
# custom:
#   id: change.applied
#   judges: [proposal]
#   fix: Propose a value that the declared resource has.
results contains record if {
	change.is_proposal
	input.proposal.field != ""
	not input.resource.changed == true
	record := {
		"id": "change.applied",
		"decision": "deny",
		"actual": substring(input.proposal.field, 0, 160),
		"limit": "a value of the declared manifest",
	}
}
