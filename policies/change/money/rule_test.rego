package finops.tests.change.money

import rego.v1

import data.finops.rules.change.money as rule
import data.finops.tests.fixtures

limits := {"defaults": {
	"change": {"USD": 100},
	"team_day": {"USD": 200},
	"day": {"USD": 300},
}}

said(document) := fixtures.said(results) if {
	results := rule.results with input as document with data.limits.money as limits
}

saving(amount, day) := fixtures.of_proposal({
	"proposal": {"saving_per_month": {"mid": amount}},
	"context": {"day": object.union({"currency": "USD", "moved": "0", "team_moved": "0"}, day)},
})

one := {["change.money", "needs_approval"]}

day := {["change.money_day", "needs_approval"]}

test_change if {
	said(saving("100", {})) == set()
	said(saving("100.01", {})) == one
	said(saving("-100.01", {})) == one
}

test_day_of_the_team if {
	said(saving("50", {"team_moved": "150"})) == set()
	said(saving("50", {"team_moved": "150.01"})) == day
}

test_day_of_all if {
	said(saving("50", {"moved": "250"})) == set()
	said(saving("50", {"moved": "250.01"})) == day
}

test_no_money_moves_nothing if said(saving("0", {"moved": "5000", "team_moved": "5000"})) == set()

# Harm: yen are added to dollars, and a day of little money is held up.
test_other_currency_is_not_added if said(saving("50", {"moved": "250000", "currency": "JPY"})) == set()

# Harm: in a currency that nobody thought of, anything goes.
test_currency_without_limit_needs_a_person if {
	said(object.union(saving("5", {}), {"proposal": {"saving_per_month": {"currency": "JPY"}}})) == one
}

test_first_of_the_day if said(object.remove(saving("50", {}), ["context"])) == set()

test_manifests_move_nothing if {
	said(fixtures.of_manifest(fixtures.manifest)) == set()
	rule.evaluable with input as fixtures.of_manifest(fixtures.manifest)
}

test_what_cannot_be_read_cannot_be_evaluated if {
	rule.evaluable with input as saving("50", {}) with data.limits.money as limits
	not rule.evaluable with input as saving("much", {}) with data.limits.money as limits
	not rule.evaluable with input as saving("50", {"moved": "much"}) with data.limits.money as limits
	not rule.evaluable with input as saving("50", {})
		with data.limits.money as {"defaults": {"change": {"USD": "x"}, "team_day": {}, "day": {}}}
}

test_words if {
	results := rule.results with input as saving("50", {"team_moved": "160"}) with data.limits.money as limits
	some record in results
	record.actual == "210 USD a month proposed to the team today, this change included"
	record.limit == "at most 200 USD a month on a day"
}

# Nothing at all may be asked about: a limit of none, and a change that moves none.
test_limits_and_changes_of_nothing if {
	rule.evaluable with input as saving("0", {}) with data.limits.money as limits
	none := object.union(limits, {"defaults": {"change": {"USD": 0}}})
	rule.evaluable with input as saving("50", {}) with data.limits.money as none
}
