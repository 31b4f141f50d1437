package finops.tests.availability.disruption

import rego.v1

import data.finops.rules.availability.disruption
import data.finops.tests.fixtures

budget(spec) := {
	"apiVersion": "policy/v1",
	"kind": "PodDisruptionBudget",
	"metadata": {"name": "api", "namespace": "shop"},
	"spec": spec,
}

said(document) := said_with(document, {})

said_with(document, changes) := value if {
	value := fixtures.said(disruption.results) with input as document
		with data.limits.availability.defaults as object.union(data.limits.availability.defaults, changes)
}

blocked := {["availability.disruption_blocked", "deny"]}

below := {["availability.disruption_below", "deny"]}

missing := {["availability.disruption_missing", "needs_approval"]}

test_budgets_that_let_nothing_go if {
	every spec in [{"maxUnavailable": 0}, {"maxUnavailable": "0%"}, {"minAvailable": "100%"}] {
		said(fixtures.of_manifest(budget(spec))) == blocked
		said_with(fixtures.of_manifest(budget(spec)), {"disruption_decision": "needs_approval"}) == {["availability.disruption_blocked", "needs_approval"]}
	}
	every spec in [{"maxUnavailable": 1}, {"maxUnavailable": "1%"}, {"minAvailable": "99%"}, {"minAvailable": 2}, {}] {
		said(fixtures.of_manifest(budget(spec))) == set()
	}
	said_with(fixtures.of_manifest(budget({"maxUnavailable": 1})), {"min_disruptions": 2}) == blocked
	said_with(fixtures.of_manifest(budget({"maxUnavailable": 0})), {"min_disruptions": 0}) == set()
	# A number of pods is no share of them, however large.
	said(fixtures.of_manifest(budget({"minAvailable": 50}))) == set()
}

test_what_it_says if {
	{record.actual | some record in disruption.results} == {"maxUnavailable 0"} with input as fixtures.of_manifest(budget({"maxUnavailable": 0}))
	{record.actual | some record in disruption.results} == {"minAvailable 100%"} with input as fixtures.of_manifest(budget({"minAvailable": "100%"}))
}

beside(environment, number, neighbours) := object.union(
	fixtures.of_manifest(object.union(fixtures.manifest, {"spec": {"replicas": number}})),
	{"environment": environment, "context": {"neighbours": neighbours}},
)

test_replicas_under_a_budget if {
	said(beside("staging", 2, [budget({"minAvailable": 2})])) == below
	said(beside("staging", 2, [budget({"minAvailable": 3})])) == below
	said(beside("staging", 3, [budget({"minAvailable": 2})])) == set()
	said(beside("staging", 1, [budget({"minAvailable": "50%"})])) == below
	said(beside("staging", 0, [budget({"minAvailable": 2})])) == set()
	said(beside("staging", 2, [budget({"maxUnavailable": 0})])) == below
	said(beside("staging", 2, [budget({"minAvailable": 1}), budget({"minAvailable": 2})])) == below
	said_with(beside("staging", 2, [budget({"minAvailable": 2})]), {"disruption_decision": "needs_approval"}) == {["availability.disruption_below", "needs_approval"]}
	said(object.union(fixtures.of_manifest(budget({"minAvailable": 1})), {"context": {"neighbours": [budget({"minAvailable": 1})]}})) == set()
}

change(field, proposed, neighbours) := object.union(
	beside("production", to_number(proposed), neighbours),
	{"proposal": fixtures.of_proposal({"proposal": {
		"field": field,
		"current": "3",
		"proposed": proposed,
	}}).proposal},
)

# Harm: a change saves two pods, and the next update of the nodes hangs.
test_changes_of_replicas if {
	said(change("spec.replicas", "2", [budget({"minAvailable": 2})])) == below
	said(change("spec.replicas", "2", [budget({"minAvailable": 1})])) == set()
	said(change("spec.replicas", "2", [])) == missing
	said(change("spec.template.x", "2", [budget({"minAvailable": 2})])) == set()
	said(change("spec.template.x", "2", [])) == set()
}

test_changes_of_what_stands_already if {
	document := object.union(fixtures.of_manifest(budget({"maxUnavailable": 0})), {"proposal": fixtures.of_proposal({}).proposal})
	said(document) == {["availability.disruption_blocked", "needs_approval"]}
}

scaler(low) := fixtures.of_manifest({
	"kind": "HorizontalPodAutoscaler",
	"metadata": {"name": "api", "namespace": "shop"},
	"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "api"}, "minReplicas": low, "maxReplicas": 9},
})

test_floors_of_autoscalers if {
	said(object.union(scaler(1), {"context": {"neighbours": [budget({"minAvailable": 1})]}})) == below
	said(object.union(scaler(2), {"context": {"neighbours": [budget({"minAvailable": 1})]}})) == set()
	said(object.union(object.union(scaler(2), {"environment": "production"}), {"context": {"neighbours": []}})) == set()
}

test_missing_budget if {
	said(beside("production", 2, [])) == missing
	said(beside("production", 1, [])) == set()
	said(beside("staging", 2, [])) == set()
	said(beside("production", 2, [budget({"selector": {"matchLabels": {"app": "other"}}})])) == missing
	said(beside("production", 2, [budget({"minAvailable": 1})])) == set()
	said_with(beside("lab", 2, []), {"budget_wanted": true}) == missing
	said_with(beside("production", 2, []), {"budget_from_replicas": 3}) == set()
	# Nobody looked.
	said(object.union(fixtures.of_manifest(fixtures.manifest), {"environment": "production"})) == set()
	said(object.union(beside("production", 2, []), {"resource": {"kind": "Job"}})) == set()
}

evaluable_with(changes) if {
	disruption.evaluable with input as scaler(1)
		with data.limits.availability.defaults as object.union(data.limits.availability.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({})
	evaluable_with({"disruption_decision": "needs_approval"})
	not evaluable_with({"disruption_decision": "ignore"})
	not evaluable_with({"budget_wanted": "yes"})
	every key in ["budget_from_replicas", "min_disruptions"] {
		evaluable_with({key: 0})
		not evaluable_with({key: -1})
		not evaluable_with({key: "1"})
	}
}
