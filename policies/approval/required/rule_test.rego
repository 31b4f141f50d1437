package finops.tests.approval.required

import rego.v1

import data.finops.rules.approval.required as rule
import data.finops.tests.fixtures

limits(required) := {"defaults": {"handle": "@acme/{owner}", "handles": {"ml": "@acme/research"}, "required": required}}

asked(conditions) := object.union(
	{"name": "four eyes", "decision": "needs_approval", "people": 2, "approvers": ["{owner}", "@acme/finops"]},
	conditions,
)

proposed(changes) := object.union(fixtures.of_proposal({"proposal": {
	"kind": "rightsize_cpu",
	"owner": "search",
	"risk": 0.02,
}}), changes)

approvers(document, conditions) := {name | some record in results; some name in record.approvers} if {
	results := rule.results with input as document with data.limits.approval as limits([asked(conditions)])
}

both := {"@acme/finops", "@acme/search"}

test_named_where_nothing_is_asked_besides if approvers(proposed({}), {}) == both

test_by_environment if {
	approvers(proposed({}), {"environments": ["production"]}) == set()
	approvers(proposed({"environment": "prod"}), {"environments": ["production"]}) == both
}

test_by_kind if {
	approvers(proposed({}), {"kinds": ["idle_gpu"]}) == set()
	approvers(proposed({}), {"kinds": ["idle_gpu", "rightsize_cpu"]}) == both
}

test_by_owner if {
	approvers(proposed({}), {"owners": ["ml"]}) == set()
	approvers(proposed({}), {"owners": ["search"]}) == both
}

test_by_money_saved_or_spent if {
	approvers(proposed({}), {"min_money": {"USD": 20.01}}) == set()
	approvers(proposed({}), {"min_money": {"USD": 20}}) == both
	approvers(proposed({"proposal": {"saving_per_month": {"mid": "-30"}}}), {"min_money": {"USD": 30}}) == both
}

# Harm: in a currency that nobody thought of, nobody has to approve.
test_currency_without_amount_counts_as_much if approvers(proposed({}), {"min_money": {"EUR": 1000}}) == both

test_by_risk if {
	approvers(proposed({}), {"min_risk": 0.021}) == set()
	approvers(proposed({}), {"min_risk": 0.02}) == both
	approvers(proposed({"proposal": {"risk": null}}), {"min_risk": 0.5}) == both
	approvers(object.remove(proposed({}), ["proposal"]), {}) == set()
}

test_every_condition_has_to_hold if {
	approvers(proposed({}), {"kinds": ["rightsize_cpu"], "environments": ["production"]}) == set()
}

test_owner_by_another_name if {
	approvers(proposed({"proposal": {"owner": "ml"}}), {}) == {"@acme/finops", "@acme/research"}
}

# Harm: the name of a team, which anybody can write on a resource, mentions everybody.
test_owner_that_is_no_name_is_not_named if {
	approvers(proposed({"proposal": {"owner": "x @everyone"}}), {}) == {"@acme/finops"}
	approvers(proposed({"proposal": {"owner": null}}), {}) == {"@acme/finops"}
}

test_words if {
	results := rule.results with input as proposed({"environment": "prod"})
		with data.limits.approval as limits([asked({}), asked({"name": "one", "people": 1, "decision": "allow", "approvers": ["a.b@acme.example"]})])
	{[record.decision, record.actual, record.limit] | some record in results} == {
		["needs_approval", "four eyes: 20 USD a month in production", "2 people of @acme/finops, @acme/search"],
		["allow", "one: 20 USD a month in production", "one of a.b@acme.example"],
	}
}

test_nobody_to_name if {
	results := rule.results with input as proposed({"proposal": {"owner": ""}})
		with data.limits.approval as limits([asked({"approvers": ["{owner}"]})])
	{[record.decision, record.limit] | some record in results} == {["needs_approval", "2 people of the owner, whom nothing names"]}
}

test_what_cannot_be_read_cannot_be_evaluated if {
	every conditions in [
		{"min_monney": {"USD": 1}},
		{"min_money": 5},
		{"min_risk": "high"},
		{"kinds": "idle_gpu"},
		{"decision": "deny"},
		{"people": "two"},
		{"approvers": []},
		{"approvers": ["everyone"]},
		{"approvers": ["@a b"]},
	] {
		not rule.evaluable with input as proposed({}) with data.limits.approval as limits([asked(conditions)])
	}
	rule.evaluable with input as proposed({}) with data.limits.approval as limits([asked({
		"min_money": {"USD": 1},
		"min_risk": 0.1,
		"kinds": [],
		"approvers": ["@user", "@acme/team.x", "a.b+c@acme.example"],
	})])
	not rule.evaluable with input as proposed({"proposal": {"saving_per_month": {"mid": "x"}}})
	rule.evaluable with input as fixtures.of_manifest(fixtures.manifest)
}
