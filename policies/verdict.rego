# The verdict: every rule under data.finops.rules asked, the severest answer and the lowest rung
# taken. No rule about resources and no limit. What cannot be evaluated is denied, by default.
package finops

import rego.v1

import data.finops.lib.environment
import data.finops.lib.limits
import data.finops.lib.rung

default verdict := {
	"decision": "deny",
	"rules": [{
		"id": "policy.input",
		"decision": "deny",
		"actual": "an input without a resource, its labels and its manifest",
		"limit": "the input document of schema/input.json",
	}],
	"rung": "observe",
	"rung_reason": "denied by policy.input",
	"approvers": [],
}

verdict := {
	"decision": worst,
	"rules": [record | some record in sort(records); not holds_nothing(record)],
	"rung": lowest,
	"rung_reason": concat("; ", sort({cap.reason | some cap in caps; cap.rung == lowest})),
	"approvers": sort({name | some record in records; some name in record.approvers}),
} if well_formed

well_formed if {
	is_string(input.resource.kind)
	input.resource.kind != ""
	is_object(input.resource.labels)
	is_object(input.resource.manifest)
	is_string(input.environment)
	is_object(input.context)
	is_string(environment.name)
}

records := (spoken | blind) | claimed

# Asked once: an engine may work a package out again for each mention of it.
asked := data.finops.rules

spoken := {record |
	some topic, name
	some record in asked[topic][name].results
}

# A rule that does not say it could be evaluated has not judged: its silence is no consent.
blind := {record |
	some topic, name
	asked[topic][name]
	not asked[topic][name].evaluable
	record := {
		"id": "policy.rule_unevaluable",
		"decision": "deny",
		"actual": sprintf("%s.%s cannot be evaluated", [topic, name]),
		"limit": "every rule judges, with its limits present and of the right type",
	}
}

claimed := {record |
	some topic
	some text in limits.refused[topic]
	record := {
		"id": "policy.domain_limits",
		"decision": "deny",
		"actual": text,
		"limit": "a domain tightens limits that have a direction, and does nothing else",
	}
}

worst := "deny" if {
	some record in records
	not record.decision in {"allow", "needs_approval"}
} else := "needs_approval" if {
	some record in records
	record.decision == "needs_approval"
} else := "allow"

# What holds the change on a rung: the decision, and each record that names one.
caps contains {"rung": "observe", "reason": sprintf("denied by %s", [concat(", ", sort(ids))])} if {
	worst == "deny"
	ids := {record.id | some record in records; not record.decision in {"allow", "needs_approval"}}
}

caps contains {"rung": "propose", "reason": sprintf("a person has to approve: %s", [concat(", ", sort(ids))])} if {
	worst == "needs_approval"
	ids := {record.id | some record in records; record.decision == "needs_approval"}
}

caps contains {"rung": rung.known(record.rung), "reason": record.actual} if {
	some record in records
	record.rung
}

# Where nothing is said of rungs people merge: automerge is granted, never assumed.
lowest := rung.lowest({cap.rung | some cap in caps}) if count(caps) > 0 else := "propose"

# Records that only hold the change on a rung which something else keeps it below.
holds_nothing(record) if {
	record.decision == "allow"
	rung.height(rung.known(record.rung)) > rung.height(lowest)
}

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
# title: A domain claims a limit that is not for it to claim
# description: >-
#   A domain may tighten limits that have a direction. What it wrote besides is not in force, and is
#   not passed over either: what the domain owns is not judged until the file is mended.
# scope: rule
# custom:
#   id: policy.domain_limits
#   judges: [proposal, manifest]
#   fix: Mend the file of the domain, domains/NAME/data.yaml, where the value found says.
domains_described := true

# METADATA
# title: The policy engine could not evaluate the bundle
# description: The engine failed or answered nothing that is a verdict.
# scope: rule
# custom:
#   id: policy.engine
#   judges: [proposal, manifest]
#   fix: Run the policy tests on this bundle, and mend what they name.
engine_described := true
