package finops.tests.verdict

import rego.v1

import data.finops.verdict
import data.finops.tests.fixtures

test_silence_allows if {
	v := verdict with input as fixtures.of_manifest(fixtures.manifest)
	v == {"decision": "allow", "rules": []}
}

test_severest_rule_decides if {
	document := fixtures.of_proposal({
		"proposal": {"proposed": "0"},
		"resource": {"labels": {"team": ""}, "manifest": {"metadata": {"labels": {"team": ""}}}},
	})
	v := verdict with input as document
	v.decision == "deny"
	ids := {record.id | some record in v.rules}
	ids == {"change.large_cut", "labels.required", "sizing.headroom"}
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
}
