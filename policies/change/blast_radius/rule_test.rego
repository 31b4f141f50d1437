package finops.tests.change.blast_radius

import rego.v1

import data.finops.rules.change.blast_radius as rule
import data.finops.tests.fixtures

large := {["change.large_cut", "needs_approval"]}

critical := {["change.critical", "needs_approval"]}

said(document) := fixtures.said(results) if {
	results := rule.results with input as document
		with data.limits.blast_radius.defaults.max_cut_share as 0.6
		with data.limits.blast_radius.environments as {"production": {"max_cut_share": 0.5}}
}

cut(current, proposed) := fixtures.of_proposal({"proposal": {"current": current, "proposed": proposed}})

test_small_cut if said(cut("1", "500m")) == set()

test_exactly_the_share if said(cut("1", "400m")) == set()

test_large_cut if said(cut("1", "399m")) == large

test_to_zero if said(cut("3", "0")) == large

test_taken_away if said(cut("gp3", "")) == large

test_raise if said(cut("1", "4")) == set()

test_environment if said(object.union(cut("1", "400m"), {"environment": "prod"})) == large

criticality(environment, value) := fixtures.of_proposal({
	"environment": environment,
	"resource": {"labels": {"example.io/criticality": value}},
})

test_critical_in_production if {
	said(criticality("prod", "High")) == critical
	said(criticality("production", "tier-1")) == critical
}

test_not_critical if {
	said(criticality("prod", "low")) == set()
	said(criticality("dev", "high")) == set()
}

test_manifests_change_nothing if {
	document := fixtures.of_manifest({
		"kind": "Deployment",
		"metadata": {"labels": {"env": "prod", "criticality": "high"}},
	})
	said(document) == set()
	rule.evaluable with input as document
}

reaching(count) := fixtures.of_proposal({"context": {"resources": count}})

test_many_resources if {
	said(reaching(10)) == set()
	said(reaching(11)) == {["change.resources", "needs_approval"]}
}

capacity(measures) := fixtures.of_proposal({"context": {"capacity": measures}})

test_much_of_a_team if {
	said(capacity({"cores": {"before": 4, "after": 2}, "GiB": {"before": 0, "after": 1}})) == set()
	said(capacity({"cores": {"before": 4, "after": 1.9}})) == {["change.capacity", "needs_approval"]}
	said(capacity({"GPUs": {"before": 2, "after": 4}})) == {["change.capacity", "needs_approval"]}
	said(capacity({"GPUs": {"before": 2, "after": "3.1"}})) == {["change.capacity", "needs_approval"]}
}

test_what_cannot_be_read_cannot_be_evaluated if {
	rule.evaluable with input as reaching(1)
	not rule.evaluable with input as reaching("many")
	not rule.evaluable with input as capacity("all")
	not rule.evaluable with input as capacity({"cores": {"before": "x", "after": 1}})
	not rule.evaluable with input as capacity({"cores": {"before": 1}})
}

test_words if {
	results := rule.results with input as capacity({"cores": {"before": 8, "after": 2}})
	{[record.actual, record.limit] | some record in results} == {["75 % of the team's cores", "at most 50 % at once"]}
}

# The bounds of each limit are themselves allowed.
test_limits_at_their_bounds if {
	every share in [0, 1] {
		rule.evaluable with input as reaching(1) with data.limits.blast_radius.defaults.max_cut_share as share
	}
	rule.evaluable with input as reaching(1) with data.limits.blast_radius.defaults.max_resources as 0
	rule.evaluable with input as reaching(1) with data.limits.blast_radius.defaults.max_capacity_share as 0
	rule.evaluable with input as capacity({"cores": {"before": 0, "after": 0}})
}
