# The verdict: every rule under data.finops.rules asked, the severest answer taken.
# No rule about resources and no limit. What cannot be evaluated is denied, by default.
package finops

import rego.v1

import data.finops.lib.environment

default verdict := {
	"decision": "deny",
	"rules": [{
		"id": "policy.input",
		"decision": "deny",
		"actual": "an input without a resource, its labels and its manifest",
		"limit": "the input document of schema/input.json",
	}],
}

verdict := {"decision": worst, "rules": records} if well_formed

well_formed if {
	is_string(input.resource.kind)
	input.resource.kind != ""
	is_object(input.resource.labels)
	is_object(input.resource.manifest)
	is_string(input.environment)
	is_object(input.context)
	is_string(environment.name)
}

records := [record | some record in sort(spoken | blind)]

spoken := {record |
	some topic, name
	some record in data.finops.rules[topic][name].results
}

# A rule that does not say it could be evaluated has not judged: its silence is no consent.
blind := {record |
	some topic, name
	data.finops.rules[topic][name]
	not data.finops.rules[topic][name].evaluable
	record := {
		"id": "policy.rule_unevaluable",
		"decision": "deny",
		"actual": sprintf("%s.%s cannot be evaluated", [topic, name]),
		"limit": "every rule judges, with its limits present and of the right type",
	}
}

worst := "deny" if {
	some record in records
	not record.decision in {"allow", "needs_approval"}
} else := "needs_approval" if {
	some record in records
	record.decision == "needs_approval"
} else := "allow"

# METADATA
# title: What was given to policy cannot be judged
# description: >-
#   The input document lacks the resource, its labels, its manifest or the environment.
#   Nothing is proposed on a judgement that was not made.
# scope: rule
# custom:
#   id: policy.input
#   judges: [proposal, manifest]
#   fix: Give policy an input document as schema/input.json describes it.
input_described := true

# METADATA
# title: A policy rule could not be evaluated
# description: >-
#   A rule lacks its limits or met something it cannot read. It is named in the value found.
# scope: rule
# custom:
#   id: policy.rule_unevaluable
#   judges: [proposal, manifest]
#   fix: Mend the rule's limits in limits/data.yaml, or the value it cannot read.
rules_described := true

# METADATA
# title: The policy engine could not evaluate the bundle
# description: The engine failed or answered nothing that is a verdict.
# scope: rule
# custom:
#   id: policy.engine
#   judges: [proposal, manifest]
#   fix: Run the policy tests on this bundle, and mend what they name.
engine_described := true
