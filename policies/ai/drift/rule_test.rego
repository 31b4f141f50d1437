package finops.tests.ai.drift

import rego.v1

import data.finops.rules.ai.drift
import data.finops.tests.fixtures

measured(share) := object.union(
	fixtures.of_manifest({"kind": "InferenceService", "spec": {}}),
	{"context": {"model": {"drift_share": share}}},
)

said(document) := value if {
	value := fixtures.said(drift.results) with input as document
}

drifted := {["ai.drift", "needs_approval"]}

test_drift if {
	said(measured(0.5)) == set()
	said(measured(0.51)) == drifted
	said(measured("0.51")) == drifted
	said(measured(0)) == set()
	said(object.union(measured(0.51), {"environment": "production"})) == {["ai.drift", "deny"]}
	said(fixtures.of_manifest({"kind": "ModelCard", "spec": {"metrics": {"drift_share": 0.9}}})) == drifted
	{record.limit | some record in drift.results} == {"at most 50 %"} with input as measured(1)
}

test_nothing_measured if {
	said(measured(null)) == set()
	said(fixtures.of_manifest({"kind": "InferenceService", "spec": {}})) == set()
}

test_unreadable if {
	every share in ["much", -0.1, true, [1]] {
		said(measured(share)) == {["ai.drift_unreadable", "needs_approval"]}
	}
}

test_a_saving_is_shown_to_a_person if {
	document := object.union(measured(0.9), {"environment": "production", "proposal": fixtures.of_proposal({}).proposal})
	said(document) == drifted
}

evaluable_with(changes) if {
	drift.evaluable with input as measured(0)
		with data.limits.ai.defaults as object.union(data.limits.ai.defaults, changes)
}

test_evaluable_with_its_limits if {
	every decision in ["deny", "needs_approval"] {
		evaluable_with({"metrics_decision": decision})
	}
	not evaluable_with({"metrics_decision": "ignore"})
	evaluable_with({"max_drift_share": 0})
	not evaluable_with({"max_drift_share": -1})
	not evaluable_with({"max_drift_share": "1"})
}
