package finops.tests.ai.energy

import rego.v1

import data.finops.rules.ai.energy
import data.finops.tests.fixtures

used(amount, annotations) := object.union(
	fixtures.of_manifest({"kind": "InferenceService", "metadata": {"annotations": annotations}, "spec": {}}),
	{"context": {"model": {"energy_kwh_month": amount}}},
)

said(document) := value if {
	value := fixtures.said(energy.results) with input as document
}

over := {["ai.energy", "needs_approval"]}

test_budget if {
	said(used(5000, {})) == set()
	said(used(5001, {})) == over
	said(used("5000.5", {})) == over
	said(used(0, {})) == set()
	decided := fixtures.said(energy.results) with input as used(5001, {})
		with data.limits.ai.defaults.energy_decision as "deny"
	decided == {["ai.energy", "deny"]}
}

# Harm: a team lifts its own budget in its own manifest.
test_own_budget if {
	said(used(600, {"finops.io/energy-budget-kwh-month": "500"})) == over
	said(used(500, {"finops.io/energy-budget-kwh-month": "500"})) == set()
	said(used(6000, {"finops.io/energy-budget-kwh-month": "9000"})) == over
	said(used(6000, {"finops.io/energy-budget-kwh-month": "plenty"})) == over
	labelled := object.union(used(600, {}), {"resource": {"labels": {"energy-budget-kwh-month": "500"}}})
	said(labelled) == over
	{record.limit | some record in energy.results} == {"500 kWh a month"} with input as labelled
}

test_nothing_measured if {
	said(used(null, {})) == set()
	said(fixtures.of_manifest({"kind": "InferenceService", "spec": {}})) == set()
}

test_unreadable if {
	every amount in ["much", -1, true, [1]] {
		said(used(amount, {})) == {["ai.energy_unreadable", "needs_approval"]}
	}
}

evaluable_with(changes) if {
	energy.evaluable with input as used(1, {})
		with data.limits.ai.defaults as object.union(data.limits.ai.defaults, changes)
}

test_evaluable_with_its_limits if {
	every decision in ["deny", "needs_approval"] {
		evaluable_with({"energy_decision": decision})
	}
	not evaluable_with({"energy_decision": "ignore"})
	evaluable_with({"max_energy_kwh_month": 0})
	not evaluable_with({"max_energy_kwh_month": -1})
	not evaluable_with({"max_energy_kwh_month": "1"})
	not evaluable_with({"energy_budget_keys": {}})
}
