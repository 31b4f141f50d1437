package finops.tests.containers.resources

import rego.v1

import data.finops.rules.containers.resources
import data.finops.tests.fixtures

pod(given) := fixtures.of_manifest({"kind": "Pod", "spec": {"containers": [
	{"name": "good", "resources": {"requests": {"cpu": "1", "memory": "1Gi", "gpu": 1}, "limits": {"cpu": "1", "memory": "1Gi"}}},
	{"name": "server", "resources": given},
]}})

said(document) := said_with(document, {})

said_with(document, changes) := value if {
	value := fixtures.said(resources.results) with input as document
		with data.limits.containers.defaults as object.union(data.limits.containers.defaults, changes)
}

records(document, changes) := value if {
	value := resources.results with input as document
		with data.limits.containers.defaults as object.union(data.limits.containers.defaults, changes)
}

required := {["containers.required", "needs_approval"]}

high := {["containers.ceiling", "needs_approval"]}

wide := {["containers.ratio", "needs_approval"]}

unreadable := {["containers.unreadable", "needs_approval"]}

test_nothing_is_required_outside_production if {
	said(pod({})) == set()
	said(pod(null)) == set()
	said(object.union(pod({}), {"environment": "production"})) == required
	said(object.union(pod({"requests": {"cpu": "1", "memory": "1Gi"}}), {"environment": "production"})) == set()
	said(object.union(pod({"requests": {"cpu": "1"}}), {"environment": "production"})) == required
	said(object.union(pod({"requests": {"memory": "1"}}), {"environment": "production"})) == required
}

test_required if {
	wanted := {"required_requests": ["cpu"], "required_limits": ["memory"]}
	said_with(pod({"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}), wanted) == set()
	said_with(pod({"requests": {"cpu": "1"}}), wanted) == required
	said_with(pod({"limits": {"memory": "1Gi"}}), wanted) == required
	said_with(pod({"requests": {"cpu": null}, "limits": {"memory": "1Gi"}}), wanted) == required
	{record.actual | some record in records(pod({}), wanted)} == {"without server: limits.memory, server: requests.cpu"}
	{record.limit | some record in records(pod({}), wanted)} == {"requests of cpu, limits of memory"}
	{record.limit | some record in records(pod({}), {"required_requests": ["cpu", "memory"]})} == {"requests of cpu and memory, limits of nothing"}
	said_with(pod({}), object.union(wanted, {"decision": "deny"})) == {["containers.required", "deny"]}
}

# Harm: the pod's own start is not looked at, or a proposal is held up by another container's fault.
test_which_containers_count if {
	wanted := {"required_requests": ["cpu"]}
	starts := fixtures.of_manifest({"kind": "Pod", "spec": {"containers": [], "initContainers": [{"name": "a"}, "nonsense"]}})
	said_with(starts, wanted) == required
	said_with(fixtures.of_proposal({"resource": {"manifest": {"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}}}}), wanted) == set()
	said_with(fixtures.of_manifest({"kind": "Service", "spec": {}}), wanted) == set()
}

test_ceilings if {
	every side in ["requests", "limits"] {
		said(pod({side: {"cpu": 128, "memory": "1024Gi"}})) == set()
		said(pod({side: {"cpu": "128001m"}})) == high
		said(pod({side: {"memory": "1025Gi"}})) == high
	}
	said_with(pod({"limits": {"ephemeral-storage": "1Pi"}}), {"max_limits": {"ephemeral-storage": 524288000}}) == high
	said_with(pod({"limits": {"cpu": "1Pi"}}), {"decision": "deny"}) == {["containers.ceiling", "deny"], }
	{record.actual | some record in records(pod({"requests": {"cpu": 200}}), {})} == {"server: requests.cpu of 200"}
}

test_unreadable if {
	every side in ["requests", "limits"] {
		every name in ["cpu", "memory"] {
			said(pod({side: {name: "lots"}})) == unreadable
			said(pod({side: {name: ["1"]}})) == unreadable
			said(pod({side: {name: -1}})) == unreadable
			said(pod({side: {name: 0}})) == set()
		}
	}
	said(pod({"requests": {"gpu": "lots"}, "limits": {"gpu": "lots"}})) == set()
	said_with(pod({"requests": {"gpu": "lots"}}), {"required_requests": ["gpu"]}) == unreadable
	said_with(pod({"limits": {"gpu": "lots"}}), {"required_limits": ["gpu"]}) == union({required, unreadable})
	said_with(pod({"requests": {"gpu": "lots"}}), {"max_ratios": {"gpu": 1}}) == unreadable
	said_with(pod({"limits": {"gpu": "lots"}}), {"max_ratios": {"gpu": 1}}) == unreadable
	said_with(pod({"limits": {"cpu": "lots"}}), {"decision": "deny"}) == {["containers.unreadable", "deny"]}
}

test_ratios if {
	said(pod({"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "10", "memory": "1000Mi"}})) == set()
	said(pod({"requests": {"cpu": "100m"}, "limits": {"cpu": "10001m"}})) == wide
	said(pod({"requests": {"memory": "100Mi"}, "limits": {"memory": "1001Mi"}})) == wide
	said_with(pod({"requests": {"cpu": "300m"}, "limits": {"cpu": "900m"}}), {"max_ratios": {"cpu": 3}}) == set()
	said(pod({"requests": {"cpu": 0}, "limits": {"cpu": 1}})) == wide
	said(pod({"limits": {"cpu": 100}})) == set()
	said_with(pod({"requests": {"cpu": 0}, "limits": {"cpu": 1}}), {"decision": "deny"}) == {["containers.ratio", "deny"]}
}

evaluable_with(changes) if {
	resources.evaluable with input as pod({})
		with data.limits.containers.defaults as object.union(data.limits.containers.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({})
	evaluable_with({"decision": "deny"})
	not evaluable_with({"decision": "ignore"})
	not evaluable_with({"required_requests": {}})
	not evaluable_with({"required_limits": {}})
	every key in ["max_requests", "max_limits", "max_ratios"] {
		evaluable_with({key: {"cpu": 0}})
		not evaluable_with({key: {"cpu": -1}})
		not evaluable_with({key: {"cpu": "1"}})
		not evaluable_with({key: []})
	}
}
