package finops.tests.ai.bias

import rego.v1

import data.finops.rules.ai.bias
import data.finops.tests.fixtures

measured(metrics) := object.union(
	fixtures.of_manifest({"kind": "InferenceService", "spec": {}}),
	{"context": {"model": {"bias": metrics}}},
)

said(document) := value if {
	value := fixtures.said(bias.results) with input as document
}

unequal := {["ai.bias", "needs_approval"]}

unknown := {["ai.bias_unknown", "needs_approval"]}

test_differences if {
	every name in [
		"average_odds_difference", "demographic_parity_difference", "equal_opportunity_difference",
		"equalized_odds_difference", "statistical_parity_difference",
	] {
		said(measured({name: 0.1})) == set()
		said(measured({name: "0.11"})) == unequal
		said(measured({name: -0.11})) == unequal
	}
}

test_ratios if {
	every name in ["demographic_parity_ratio", "disparate_impact", "equalized_odds_ratio", "selection_ratio"] {
		said(measured({name: 0.8})) == set()
		said(measured({name: 0.79})) == unequal
	}
	every name in ["disparate_impact", "error_ratio"] {
		said(measured({name: 1.25})) == set()
		said(measured({name: 1.26})) == unequal
	}
}

test_decision if {
	said(object.union(measured({"selection_ratio": 0.5}), {"environment": "production"})) == {["ai.bias", "deny"]}
	document := object.union(measured({"selection_ratio": 0.5}), {"environment": "production", "proposal": fixtures.of_proposal({}).proposal})
	said(document) == unequal
	{[record.actual, record.limit] | some record in bias.results} == {["selection_ratio of 0.5", "at least 0.8"]} with input as measured({"selection_ratio": 0.5})
	{[record.actual, record.limit] | some record in bias.results} == {["error_ratio of 2", "at most 1.25"]} with input as measured({"error_ratio": 2})
}

test_what_cannot_be_judged if {
	said(measured({"fairness_by_feel": 0.1})) == unknown
	said(measured({"selection_ratio": "fair"})) == unknown
	said(measured({"selection_ratio": null})) == unknown
	said(measured({"selection_ratio": 0.9, "other": 1})) == unknown
}

test_nothing_measured if {
	said(measured({})) == set()
	said(measured(null)) == set()
	said(fixtures.of_manifest({"kind": "InferenceService", "spec": {}})) == set()
}

evaluable_with(limit) if {
	bias.evaluable with input as measured({}) with data.limits.ai.defaults as limit
}

test_evaluable_with_its_limits if {
	good := {"metrics_decision": "deny", "max_bias": {"a": 1}, "min_bias": {"a": 1}}
	evaluable_with(good)
	evaluable_with(object.union(good, {"metrics_decision": "needs_approval"}))
	not evaluable_with(object.union(good, {"metrics_decision": "ignore"}))
	every key in ["max_bias", "min_bias"] {
		not evaluable_with(object.union(good, {key: {"a": "1"}}))
		not evaluable_with(object.union(good, {key: []}))
	}
}
