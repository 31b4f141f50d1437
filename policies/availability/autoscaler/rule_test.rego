package finops.tests.availability.autoscaler

import rego.v1

import data.finops.rules.availability.autoscaler
import data.finops.tests.fixtures

target := {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}

scaler(low, high) := fixtures.of_manifest({
	"apiVersion": "autoscaling/v2",
	"kind": "HorizontalPodAutoscaler",
	"metadata": {"name": "api", "namespace": "shop"},
	"spec": {"scaleTargetRef": target, "minReplicas": low, "maxReplicas": high},
})

keda(low, high) := fixtures.of_manifest({
	"apiVersion": "keda.sh/v1alpha1",
	"kind": "ScaledObject",
	"spec": {"scaleTargetRef": {"name": "api"}, "minReplicaCount": low, "maxReplicaCount": high},
})

said(document) := said_with(document, {})

said_with(document, changes) := value if {
	value := fixtures.said(autoscaler.results) with input as document
		with data.limits.availability.defaults as object.union(data.limits.availability.defaults, changes)
}

no_range := {["availability.autoscaler_range", "deny"]}

out := {["availability.autoscaler_bounds", "needs_approval"]}

test_range if {
	said(scaler(2, 4)) == set()
	said(scaler(4, 4)) == set()
	said(scaler(4, 3)) == no_range
	said(keda(4, 3)) == no_range
	said_with(scaler(4, 4), {"autoscaler_min_spread": 1}) == no_range
	said(fixtures.of_manifest(fixtures.manifest)) == set()
}

test_bounds if {
	said(scaler(1, 500)) == set()
	said(scaler(1, 501)) == out
	said(keda(0, 4)) == set()
	said_with(scaler(2, 4), {"autoscaler_min_replicas": 3}) == out
	said_with(scaler(3, 4), {"autoscaler_min_replicas": 3}) == set()
	said_with(keda(0, 4), {"autoscaler_min_replicas": 3}) == set()
	said_with(scaler(2, 4), {"autoscaler_min_replicas": 3, "autoscaler_decision": "deny"}) == {["availability.autoscaler_bounds", "deny"]}
}

beside(document, neighbours) := object.union(document, {"context": {"neighbours": neighbours}})

workload(kind, name) := {"kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": {}}

missing := {["availability.autoscaler_target", "needs_approval"]}

# Harm: an autoscaler is told to be without its target where nobody looked for it.
test_target if {
	said(scaler(2, 4)) == set()
	said(beside(scaler(2, 4), [])) == missing
	said(beside(scaler(2, 4), [workload("StatefulSet", "api"), workload("Deployment", "web")])) == missing
	said(beside(scaler(2, 4), [workload("Deployment", "api")])) == set()
	said(beside(keda(2, 4), [])) == missing
	said_with(beside(scaler(2, 4), []), {"autoscaler_target_wanted": false}) == set()
	said_with(beside(scaler(2, 4), []), {"autoscaler_decision": "deny"}) == {["availability.autoscaler_target", "deny"]}
	said(beside(fixtures.of_manifest({"kind": "VerticalPodAutoscaler", "spec": {"scaleTargetRef": target}}), [])) == set()
	some record in autoscaler.results with input as beside(scaler(2, 4), [])
	record.actual == "no Deployment api beside it"
}

of_change(document) := object.union(document, {"proposal": fixtures.of_proposal({"proposal": {
	"field": "spec.minReplicas",
	"current": "3",
	"proposed": "2",
}}).proposal})

# A fault that stands already, in a change that makes nothing dearer.
test_changes if {
	said(of_change(scaler(4, 3))) == {["availability.autoscaler_range", "needs_approval"]}
	said(of_change(scaler(1, 501))) == set()
	said(of_change(beside(scaler(2, 4), []))) == set()
}

evaluable_with(changes) if {
	autoscaler.evaluable with input as scaler(1, 2)
		with data.limits.availability.defaults as object.union(data.limits.availability.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({})
	evaluable_with({"autoscaler_decision": "deny"})
	not evaluable_with({"autoscaler_decision": "ignore"})
	not evaluable_with({"autoscaler_target_wanted": "yes"})
	every key in ["autoscaler_min_replicas", "autoscaler_max_replicas", "autoscaler_min_spread"] {
		evaluable_with({key: 0})
		not evaluable_with({key: -1})
		not evaluable_with({key: "1"})
	}
}
