package finops.tests.spend.ceiling

import rego.v1

import data.finops.rules.spend.ceiling as rule
import data.finops.tests.fixtures

limits := {
	"defaults": {"team_month": {"USD": 2000}, "resource_month": {"USD": 500}, "near_share": 0.9},
	"environments": {"production": {"team_month": {"USD": 1050}}},
}

said(document) := fixtures.said(results) if {
	results := rule.results with input as document with data.limits.spend as limits
}

spending(raise, spend) := object.union(fixtures.of_raise(raise), {"context": {"spend": spend}})

test_saving_is_never_held_back if {
	said(object.union(
		fixtures.of_proposal({}),
		{"context": {"spend": {"team_forecast": "999999"}}},
	)) == set()
	said(object.remove(fixtures.of_proposal({}), ["context"])) == set()
}

test_manifests_spend_nothing_yet if {
	said(fixtures.of_manifest(fixtures.manifest)) == set()
	rule.evaluable with input as fixtures.of_manifest(fixtures.manifest)
}

test_below if {
	said(spending("-500", {})) == set()
}

test_beyond if {
	said(spending("-1000.01", {})) == {["spend.ceiling", "deny"]}
}

test_exactly_at_the_ceiling_is_near if {
	said(spending("-1000", {})) == {["spend.near_ceiling", "needs_approval"]}
}

test_exactly_at_the_near_share_is_below if {
	said(spending("-800", {})) == set()
	said(spending("-800.01", {})) == {["spend.near_ceiling", "needs_approval"]}
}

test_environment if {
	document := object.union(spending("-100", {}), {"environment": "prod"})
	said(document) == {["spend.ceiling", "deny"]}
}

test_spent_already_counts if {
	said(spending("-1", {"team_month_to_date": "2500"})) == {["spend.ceiling", "deny"]}
}

test_own_ceiling_tightens if {
	said(spending("-100", {"ceiling": "1000"})) == {["spend.ceiling", "deny"]}
}

test_own_ceiling_never_loosens if {
	said(spending("-1500", {"ceiling": "99999"})) == {["spend.ceiling", "deny"]}
}

test_resource if {
	said(spending("-10", {"resource_forecast": "495"})) == {["spend.ceiling", "deny"]}
	said(spending("-10", {"resource_forecast": "450"})) == {["spend.near_ceiling", "needs_approval"]}
	said(spending("-10", {"resource_forecast": "100"})) == set()
}

test_other_currency_is_not_compared if {
	said(spending("-1", {"currency": "EUR"})) == {["spend.unknown", "deny"]}
}

test_currency_without_ceiling if {
	document := object.union(
		spending("-1", {"currency": "JPY"}),
		{"proposal": {"saving_per_month": {"currency": "JPY"}}},
	)
	said(document) == {["spend.unknown", "deny"]}
}

test_unknown_forecast if {
	said(object.union(fixtures.of_raise("-1"), {"context": {"spend": null}})) == {["spend.unknown", "deny"]}
	said(spending("-1", {"team_forecast": "about 5"})) == {["spend.unknown", "deny"]}
}

test_words if {
	results := rule.results with input as spending("-1500.5", {}) with data.limits.spend as limits
	some record in results
	record.actual == "team: 2500.5 USD a month after the change"
	record.limit == "2000 USD a month"
}

test_saving_that_is_no_number_cannot_be_evaluated if {
	not rule.evaluable with input as fixtures.of_raise("x") with data.limits.spend as limits
}

test_the_near_share_at_its_bounds if {
	document := fixtures.of_raise("-5")
	rule.evaluable with input as document with data.limits.spend.defaults.near_share as 1
	not rule.evaluable with input as document with data.limits.spend.defaults.near_share as 0
}
