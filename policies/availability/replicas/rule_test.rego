package finops.tests.availability.replicas

import rego.v1

import data.finops.rules.availability.replicas
import data.finops.tests.fixtures

of_replicas(number) := fixtures.of_manifest(object.union(fixtures.manifest, {"spec": {"replicas": number}}))

said(document) := said_with(document, {})

said_with(document, changes) := value if {
	value := fixtures.said(replicas.results) with input as document
		with data.limits.availability.defaults as object.union(data.limits.availability.defaults, changes)
}

outside := {["availability.replicas", "deny"]}

test_bounds if {
	said(of_replicas(0)) == set()
	said(of_replicas(500)) == set()
	said(of_replicas(501)) == outside
	said_with(of_replicas(2), {"min_replicas": 3}) == outside
	said_with(of_replicas(3), {"min_replicas": 3}) == set()
	said_with(of_replicas(2), {"min_replicas": 3, "replicas_decision": "needs_approval"}) == {["availability.replicas", "needs_approval"]}
	said(fixtures.of_manifest({"kind": "Job", "spec": {"replicas": 1000}})) == set()
}

change(field, current, proposed) := fixtures.of_proposal({
	"environment": "production",
	"resource": {"manifest": object.union(fixtures.manifest, {"spec": {"replicas": 501}})},
	"proposal": {"field": field, "current": current, "proposed": proposed},
})

test_changes_that_set_no_replicas if {
	said(change("spec.template.spec.containers[name=server].resources.requests.cpu", "2", "1")) == set()
	said(change("spec.replicas", "400", "501")) == outside
}

lowered(environment, current, proposed) := object.union(
	fixtures.of_proposal({
		"environment": environment,
		"proposal": {"field": "spec.replicas", "current": current, "proposed": proposed},
	}),
	{},
)

# Harm: what has to stay up is thinned out to one pod, since one is enough for its load.
test_lowered if {
	below := {["availability.replicas_lowered", "deny"]}
	said(lowered("production", "3", "1")) == below
	said(lowered("production", "3", "2")) == set()
	said(lowered("production", "1", "1")) == set()
	said(lowered("production", "0", "1")) == set()
	said(lowered("production", "3", "0")) == set()
	said(lowered("staging", "3", "1")) == set()
	said_with(lowered("staging", "3", "1"), {"lowered_min_replicas": 2}) == below
	said(object.union(lowered("production", "3", "1"), {"proposal": {"field": "spec.minReplicas"}})) == below
	said(object.union(lowered("production", "3", "1"), {"proposal": {"field": "spec.size"}})) == set()
	some record in replicas.results with input as lowered("production", "3", "1")
	record.actual == "from 3 to 1 replicas"
}

evaluable_with(changes) if {
	replicas.evaluable with input as of_replicas(1)
		with data.limits.availability.defaults as object.union(data.limits.availability.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({})
	evaluable_with({"replicas_decision": "needs_approval"})
	not evaluable_with({"replicas_decision": "ignore"})
	every key in ["min_replicas", "max_replicas", "lowered_min_replicas"] {
		evaluable_with({key: 0})
		not evaluable_with({key: -1})
		not evaluable_with({key: "1"})
	}
}
