package finops.tests.sizing.headroom

import rego.v1

import data.finops.rules.sizing.headroom as rule
import data.finops.tests.fixtures

limits := {
	"defaults": {
		"cpu_min_share": 0.2,
		"memory_min_share": 0.1,
		"cpu_figures": [{"name": "p95_cores", "unit": 1}],
		"memory_figures": [{"name": "max_gib", "unit": 1073741824}, {"name": "max_bytes", "unit": 1}],
	},
	"environments": {"production": {"cpu_min_share": 0.3}},
}

said(document) := fixtures.said(results) if {
	results := rule.results with input as document with data.limits.headroom as limits
}

kept := {["sizing.headroom_kept", "allow"]}

short := {["sizing.headroom", "deny"]}

unknown := {["sizing.headroom_unknown", "deny"]}

cpu(observed, proposed) := fixtures.of_proposal({"proposal": {
	"proposed": proposed,
	"evidence": {"figures": {"p95_cores": observed}},
}})

memory(figures, proposed) := fixtures.of_proposal({"proposal": {
	"field": "spec.template.spec.containers[0].resources.requests.memory",
	"current": "8Gi",
	"proposed": proposed,
	"evidence": {"figures": figures},
}})

test_kept if said(cpu(0.4, "500m")) == kept

# Harm: binary fractions deny an amount that is exactly enough.
test_exactly_enough if {
	said(cpu(0.1, "120m")) == kept
	said(cpu(0.7, "840m")) == kept
}

test_short if said(cpu(0.42, "500m")) == short

test_below_what_was_observed if said(cpu(0.9, "500m")) == short

test_environment if said(object.union(cpu(0.4, "500m"), {"environment": "prod"})) == short

test_idle if {
	said(cpu(0, "10m")) == kept
	said(cpu(0, "0")) == unknown
}

test_memory_in_either_unit if {
	said(memory({"max_gib": 1}, "1.1Gi")) == kept
	said(memory({"max_gib": 1}, "1.05Gi")) == short
	said(memory({"max_bytes": 1073741824}, "1Gi")) == short
}

test_unmeasured if {
	said(memory({}, "1Gi")) == unknown
	said(memory({"max_gib": null}, "1Gi")) == unknown
}

test_amount_that_is_none if said(cpu(0.4, "half")) == unknown

test_raise_that_is_too_small if {
	document := object.union(cpu(0.9, "500m"), {"proposal": {"current": "250m"}})
	said(document) == {["sizing.headroom", "needs_approval"]}
}

test_memory_limits_too if {
	document := object.union(memory({"max_gib": 1}, "1Gi"), {"proposal": {"field": "a.limits.memory"}})
	said(document) == short
}

test_other_fields_are_left_alone if {
	said(fixtures.of_proposal({"proposal": {"field": "spec.replicas"}})) == set()
	said(fixtures.of_manifest(fixtures.manifest)) == set()
}

test_words if {
	results := rule.results with input as memory({"max_gib": 1}, "1Gi") with data.limits.headroom as limits
	some record in results
	record.actual == "1024 MiB for 1024 MiB observed (max_gib): 0 % above"
	record.limit == "at least 10 % above"
}

test_cpu_words if {
	results := rule.results with input as cpu(0.4, "500m") with data.limits.headroom as limits
	some record in results
	record.actual == "0.5 cores for 0.4 cores observed (p95_cores): 25 % above"
}

# No headroom may be asked for; a unit of nothing measures nothing.
test_limits_at_their_bounds if {
	every name in ["cpu_min_share", "memory_min_share"] {
		data.finops.rules.sizing.headroom.evaluable with input as fixtures.of_proposal({})
			with data.limits.headroom.defaults as object.union(data.limits.headroom.defaults, {name: 0})
	}
	not data.finops.rules.sizing.headroom.evaluable with input as fixtures.of_proposal({})
		with data.limits.headroom.defaults.cpu_figures as [{"name": "a", "unit": 0}]
}

test_what_is_left_as_it_is_is_no_raise if {
	said(object.union(cpu(0.9, "500m"), {"proposal": {"current": "500m"}})) == short
}
