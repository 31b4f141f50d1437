package finops.tests.replicas

import rego.v1

import data.finops.lib.replicas
import data.finops.tests.fixtures

budget(spec) := {"kind": "PodDisruptionBudget", "metadata": {"name": "b", "namespace": "shop"}, "spec": spec}

beside(document, neighbours) := object.union(document, {"context": {"neighbours": neighbours}})

pods(labels) := object.union(fixtures.of_manifest(fixtures.manifest), {"resource": {"manifest": {"spec": {"template": {"metadata": {"labels": labels}}}}}})

chosen(labels, selector) if {
	budgets := replicas.budgets with input as beside(pods(labels), [budget({"selector": selector})])
	count(budgets) == 1
}

test_declared if {
	every kind in ["Deployment", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"] {
		replicas.declared == 1 with input as fixtures.of_manifest({"kind": kind, "spec": {}})
		replicas.declared == 4 with input as fixtures.of_manifest({"kind": kind, "spec": {"replicas": 4}})
		replicas.declared == 4 with input as fixtures.of_manifest({"kind": kind, "spec": {"replicas": "4"}})
	}
	not replicas.declared with input as fixtures.of_manifest({"kind": "Pod", "spec": {"replicas": 4}})
	not replicas.declared with input as fixtures.of_manifest({"kind": "Deployment", "spec": {"replicas": null}})
}

test_bounds_of_scalers if {
	replicas.minimum({"kind": "HorizontalPodAutoscaler", "spec": {}}) == 1
	replicas.minimum({"kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": 3}}) == 3
	replicas.minimum({"kind": "ScaledObject", "spec": {}}) == 0
	replicas.minimum({"kind": "ScaledObject", "spec": {"minReplicaCount": 2}}) == 2
	replicas.maximum({"kind": "HorizontalPodAutoscaler", "spec": {"maxReplicas": 3}}) == 3
	not replicas.maximum({"kind": "HorizontalPodAutoscaler", "spec": {}})
	replicas.maximum({"kind": "ScaledObject", "spec": {}}) == 100
	replicas.maximum({"kind": "ScaledObject", "spec": {"maxReplicaCount": 2}}) == 2
	not replicas.minimum({"kind": "Deployment", "spec": {"minReplicas": 3}})
}

test_what_changes_them if {
	every field in ["spec.replicas", "/spec/replicas", "spec.minReplicas", "spec.predictor.minReplicas", "spec.minReplicaCount"] {
		replicas.changed with input as {"proposal": {"field": field}}
	}
	not replicas.changed with input as {"proposal": {"field": "spec.maxReplicas"}}
	not replicas.changed with input as {}
}

test_labels_that_a_budget_selects if {
	chosen({"app": "a", "tier": "web"}, {"matchLabels": {"app": "a"}})
	not chosen({"app": "a"}, {"matchLabels": {"app": "a", "tier": "web"}})
	not chosen({}, {"matchLabels": {"app": "a"}})
	chosen({"app": "a"}, {})
	chosen({"app": "a"}, {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]})
	not chosen({"app": "c"}, {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]})
	chosen({"app": "c"}, {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a", "b"]}]})
	chosen({}, {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a", "b"]}]})
	not chosen({"app": "a"}, {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a", "b"]}]})
	chosen({"app": "a"}, {"matchExpressions": [{"key": "app", "operator": "Exists"}]})
	not chosen({}, {"matchExpressions": [{"key": "app", "operator": "Exists"}]})
	chosen({}, {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]})
	not chosen({"app": "a"}, {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]})
	not chosen({"app": "a"}, {"matchLabels": {"app": "a"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]})
}

# Harm: another namespace's budget counts as one's own.
test_budgets_of_other_namespaces if {
	other := object.union(budget({}), {"metadata": {"namespace": "billing"}})
	budgets := replicas.budgets with input as beside(fixtures.of_manifest(fixtures.manifest), [other, "nonsense", {"kind": "PodDisruptionBudget"}])
	budgets == set()
	given := replicas.budgets with input as beside(
		{"resource": {"kind": "Deployment", "namespace": "billing", "manifest": {}}},
		[other],
	)
	given == {other}
}

test_other_kinds_are_no_budgets if {
	budgets := replicas.budgets with input as beside(fixtures.of_manifest(fixtures.manifest), [{"kind": "NetworkPolicy", "spec": {}}])
	budgets == set()
	scaler := fixtures.of_manifest({"kind": "HorizontalPodAutoscaler", "metadata": {"namespace": "shop"}, "spec": {}})
	of_scaler := replicas.budgets with input as beside(scaler, [budget({"selector": {"matchLabels": {"a": "b"}}})])
	count(of_scaler) == 1
}

scaler(target, low) := {"kind": "HorizontalPodAutoscaler", "metadata": {"namespace": "shop"}, "spec": {"scaleTargetRef": target, "minReplicas": low}}

test_fewest if {
	workload := fixtures.of_manifest(fixtures.manifest)
	replicas.fewest == 2 with input as workload
	replicas.fewest == 5 with input as beside(workload, [scaler({"kind": "Deployment", "name": "api"}, 5)])
	replicas.fewest == 4 with input as beside(workload, [scaler({"name": "api"}, 5), scaler({"name": "api"}, 4)])
	replicas.fewest == 2 with input as beside(workload, [scaler({"kind": "StatefulSet", "name": "api"}, 5)])
	replicas.fewest == 2 with input as beside(workload, [scaler({"kind": "Deployment", "name": "web"}, 5)])
	replicas.fewest == 5 with input as fixtures.of_manifest(scaler({"name": "api"}, 5))
	named := {"resource": {"kind": "Deployment", "name": "api", "namespace": "shop", "manifest": {"spec": {"replicas": 3}}}}
	replicas.fewest == 5 with input as beside(named, [scaler({"name": "api"}, 5)])
}

test_pods_to_spare if {
	replicas.spare({"spec": {"maxUnavailable": 1}}, 3) == 1
	replicas.spare({"spec": {"maxUnavailable": "30%"}}, 3) == 1
	replicas.spare({"spec": {"maxUnavailable": "0%"}}, 3) == 0
	replicas.spare({"spec": {"minAvailable": 2}}, 3) == 1
	replicas.spare({"spec": {"minAvailable": "2"}}, 3) == 1
	replicas.spare({"spec": {"minAvailable": "50%"}}, 3) == 1
	replicas.spare({"spec": {"minAvailable": "100%"}}, 3) == 0
	replicas.spare({"spec": {}}, 3) == 3
	replicas.spare({"spec": {"maxUnavailable": null, "minAvailable": 3}}, 3) == 0
	not replicas.spare({"spec": {"minAvailable": "most"}}, 3)
	not replicas.spare({"spec": {"minAvailable": ["1"]}}, 3)
}
