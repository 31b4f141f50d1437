package finops.tests.spend.budget

import rego.v1

import data.finops.rules.spend.budget as rule
import data.finops.tests.fixtures

said(document) := fixtures.said(results) if {
	results := rule.results with input as document
}

budgeted(raise, budget) := object.union(fixtures.of_raise(raise), {"context": {"budget": object.union(
	{"name": "search", "amount": "1000", "spent": "400", "forecast": "900", "currency": "USD"},
	budget,
)}})

test_within if said(budgeted("-100", {})) == set()

test_would_be_used_up if said(budgeted("-100.01", {})) == {["spend.budget_short", "needs_approval"]}

test_used_up if said(budgeted("-1", {"spent": "1000"})) == {["spend.budget_used", "deny"]}

# Harm: a forecast below what is spent already lets the change pass.
test_spent_already_counts if {
	said(budgeted("-100", {"spent": "950", "forecast": "100"})) == {["spend.budget_short", "needs_approval"]}
	said(budgeted("-100", {"spent": "950", "forecast": null})) == {["spend.budget_short", "needs_approval"]}
}

test_saving_is_never_held_back if {
	document := object.union(budgeted("-1", {"spent": "2000"}), {"proposal": {"saving_per_month": {"mid": "5"}}})
	said(document) == set()
}

test_other_currency_is_not_compared if said(budgeted("-5000", {"currency": "EUR"})) == set()

test_without_budget_ceilings_alone_hold if {
	said(fixtures.of_raise("-5000")) == set()
	rule.evaluable with input as fixtures.of_raise("-5000")
	rule.evaluable with input as fixtures.of_manifest(fixtures.manifest)
}

test_severity_is_data if {
	results := rule.results with input as budgeted("-1", {"spent": "1000"})
		with data.limits.spend.defaults.budget_used as "needs_approval"
	fixtures.said(results) == {["spend.budget_used", "needs_approval"]}
	not rule.evaluable with input as budgeted("-1", {}) with data.limits.spend.defaults.budget_short as "allow"
}

test_what_cannot_be_read_cannot_be_evaluated if {
	rule.evaluable with input as budgeted("-1", {})
	rule.evaluable with input as object.union(fixtures.of_raise("-1"), {"context": {"budget": null}})
	not rule.evaluable with input as object.union(fixtures.of_raise("-1"), {"context": {"budget": "large"}})
	not rule.evaluable with input as budgeted("-1", {"amount": "plenty"})
	not rule.evaluable with input as budgeted("-1", {"spent": null})
}

test_words if {
	results := rule.results with input as budgeted("-200", {})
	some record in results
	record.actual == "budget search: 1100 USD expected with the change"
	record.limit == "1000 USD"
}

# Of a budget of nothing no share can be told.
test_a_budget_of_nothing_cannot_be_read if {
	not rule.evaluable with input as budgeted("-1", {"amount": "0"})
}
