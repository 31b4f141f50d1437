package finops.tests.verdict

import rego.v1

import data.finops.verdict
import data.finops.tests.fixtures

proposal := fixtures.of_proposal({})

ids(v) := {record.id | some record in v.rules}

test_silence_allows if {
	v := verdict with input as fixtures.of_manifest(fixtures.manifest)
	v == {"decision": "allow", "rules": [], "rung": "propose", "rung_reason": "", "approvers": []}
}

test_proposal_is_proposed_until_its_kind_has_a_record if {
	v := verdict with input as proposal
	v.decision == "allow"
	v.rung == "propose"
	v.rung_reason == "there is no realised record of rightsize_cpu yet"
	ids(v) == {"sizing.headroom_kept", "autonomy.no_record"}
}

good := {"merged": 40, "reverts": 0, "realised_ratio": {"low": "0.9"}}

automerged := object.union(proposal, {"context": {
	"ceiling": "automerge",
	"record": good,
	"resources": 1,
	"capacity": {"cores": {"before": 10, "after": 9.5}},
}})

test_automerge_is_granted if {
	v := verdict with input as automerged
	v.rung == "automerge"
	startswith(v.rung_reason, "rightsize_cpu: 40 merged")
}

# Harm: a bundle without the ladder merges everything.
test_automerge_is_never_assumed if {
	v := verdict with input as automerged with data.finops.rules.autonomy as {}
	v.rung == "propose"
}

# Harm: what a person has to approve, or may not be done at all, merges itself.
test_decision_caps_the_rung if {
	v := verdict with input as object.union(automerged, {"context": {"resources": 50}})
	v.decision == "needs_approval"
	v.rung == "propose"
	contains(v.rung_reason, "a person has to approve: change.resources")
	denied := verdict with input as object.union(automerged, {"resource": {"changed": false}})
	denied.decision == "deny"
	denied.rung == "observe"
	denied.rung_reason == "denied by change.applied"
	not "autonomy.automerge" in ids(denied)
}

test_lowest_rung_counts_and_the_others_are_not_told if {
	v := verdict with input as object.union(proposal, {"context": {"now": "2026-12-24T10:00:00Z"}})
		with data.limits.windows.defaults.freezes as [{"first": "2026-12-20", "last": "2027-01-02", "reason": "year end"}]
	v.decision == "allow"
	v.rung == "advise"
	v.rung_reason == "2026-12-24 is in the freeze year end"
	ids(v) == {"sizing.headroom_kept", "change.freeze"}
}

test_rung_of_another_name_is_the_lowest if {
	v := verdict with input as automerged
		with data.finops.rules.other as {"rule": {
			"evaluable": true,
			"results": {{"id": "change.window", "decision": "allow", "rung": "up", "actual": "a", "limit": "b"}},
		}}
	v.rung == "observe"
}

test_approvers_are_named if {
	v := verdict with input as object.union(proposal, {
		"environment": "prod",
		"proposal": {"saving_per_month": {"mid": "3000"}},
	})
	v.decision == "needs_approval"
	v.approvers == ["@team/search"]
}

# Harm: a domain writes what is not in force, and nobody tells it.
test_claims_that_are_not_in_force_are_denied_by_name if {
	v := verdict with input as proposal
		with data.domains as {"shops": {"teams": ["search"], "limits": {"headroom": {"cpu_figures": []}}}}
	v.decision == "deny"
	told := {[record.id, record.actual] | some record in v.rules; startswith(record.id, "policy.")}
	told == {
		["policy.domain_limits", "domain shops, limits: headroom.cpu_figures is not for a domain to change"],
		["policy.rule_unevaluable", "sizing.headroom cannot be evaluated"],
	}
	other := verdict with input as proposal
		with data.domains as {"shops": {"teams": ["ml"], "limits": {"headroom": {"cpu_figures": []}}}}
	other.decision == "allow"
}

test_severest_rule_decides if {
	document := fixtures.of_proposal({
		"proposal": {"proposed": "0"},
		"resource": {"labels": {"team": ""}, "manifest": {"metadata": {"labels": {"team": ""}}}},
	})
	v := verdict with input as document
	v.decision == "deny"
	ids(v) == {"change.large_cut", "labels.required", "sizing.headroom"}
}

test_approval_without_denial if {
	document := fixtures.of_proposal({"proposal": {"current": "2"}})
	v := verdict with input as document
	v.decision == "needs_approval"
}

test_input_that_is_not_one_is_denied if {
	v := verdict with input as {"resource": {}}
	v.decision == "deny"
	v.rules[0].id == "policy.input"
}

test_missing_manifest_is_denied if {
	document := object.union(fixtures.of_proposal({}), {"resource": {"manifest": null}})
	v := verdict with input as document
	v.decision == "deny"
}

test_missing_limits_are_denied if {
	v := verdict with input as fixtures.of_manifest(fixtures.manifest)
		with data.limits.gpu as {}
	v.decision == "deny"
	v.rules[0].id == "policy.rule_unevaluable"
	contains(v.rules[0].actual, "compute.gpu_budget")
}

test_limits_of_a_wrong_type_are_denied if {
	v := verdict with input as fixtures.of_manifest(fixtures.manifest)
		with data.limits.serverless as {"defaults": {"max_memory_mib": "lots"}}
	contains(v.rules[0].actual, "serverless.memory_ceiling")
}

test_saving_that_is_no_number_is_denied if {
	document := fixtures.of_proposal({"proposal": {"saving_per_month": {"mid": "much"}}})
	v := verdict with input as document
	v.decision == "deny"
}

test_pseudo_rules_are_described if {
	data.finops.input_described
	data.finops.rules_described
	data.finops.engine_described
	data.finops.domains_described
}
