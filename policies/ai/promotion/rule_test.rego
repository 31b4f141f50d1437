package finops.tests.ai.promotion

import rego.v1

import data.finops.rules.ai.promotion
import data.finops.tests.fixtures

good := {"error_saved_share": 0.1, "p_value": 0.01, "worst_segment_error_more_share": 0.02}

asked(kind, figures) := object.union(fixtures.of_proposal({}), {"proposal": object.union(
	object.remove(fixtures.of_proposal({}).proposal, ["evidence"]),
	{"kind": kind, "evidence": {"figures": figures}},
)})

said(figures) := value if {
	value := fixtures.said(promotion.results) with input as asked("engine_promotion", figures)
}

test_an_honest_one if {
	said(good) == set()
	said(object.union(good, {"error_saved_share": 0.01, "p_value": 0.05})) == set()
	said(object.union(good, {"worst_segment_error_more_share": 0.05})) == set()
}

test_worse_for_one_team if {
	said(object.union(good, {"worst_segment_error_more_share": 0.051})) == {["ai.promotion_segment", "deny"]}
}

test_too_little if {
	said(object.union(good, {"error_saved_share": 0.0099})) == {["ai.promotion_gain", "deny"]}
	said(object.union(good, {"error_saved_share": -0.2})) == {["ai.promotion_gain", "deny"]}
}

test_luck if {
	said(object.union(good, {"p_value": 0.051})) == {["ai.promotion_luck", "deny"]}
}

test_only_trained_anew if {
	said({}) == {["ai.promotion_unmeasured", "needs_approval"]}
	said({"p_value": "small"}) == {["ai.promotion_unmeasured", "needs_approval"]}
}

test_what_is_shown if {
	{[record.actual, record.limit] | some record in promotion.results} == {["20 % more error", "at most 5 %"]} with input as asked(
		"engine_promotion",
		object.union(good, {"worst_segment_error_more_share": 0.2}),
	)
}

test_other_kinds if {
	every kind in ["rightsize_cpu", "engine_rollback", "model_rollback"] {
		count(promotion.results) == 0 with input as asked(kind, {"p_value": 1, "error_saved_share": -1})
	}
}

evaluable_with(changes) if {
	promotion.evaluable with data.limits.promotion.defaults as object.union(data.limits.promotion.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({})
	every name in ["min_saved_share", "max_segment_more_share", "max_p_value"] {
		evaluable_with({name: 0})
		not evaluable_with({name: -1})
		not evaluable_with({name: "1"})
	}
}
