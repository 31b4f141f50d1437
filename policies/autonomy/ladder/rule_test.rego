package finops.tests.autonomy.ladder

import rego.v1

import data.finops.rules.autonomy.ladder as rule
import data.finops.tests.fixtures

some_limits := {
	"defaults": {
		"rung": "automerge",
		"kinds": {"old_snapshot": "advise"},
		"max_risk": {"propose": 0.2, "automerge": 0.01},
		"min_merged": 10,
		"min_realised_ratio": 0.8,
		"max_reverted_share": 0.1,
		"automerge_within": {"cut_share": 0.5, "resources": 1, "capacity_share": 0.1},
		"automerge_money": {"USD": 20},
	},
	"environments": {"production": {"rung": "propose"}},
}

good := {"merged": 10, "reverts": 1, "realised_ratio": {"low": 0.8, "mid": 0.9, "high": 1.1}}

small := {
	"ceiling": "automerge",
	"record": good,
	"resources": 1,
	"capacity": {"cores": {"before": 10, "after": 9.5}},
}

# `context` replaces whole entries of what is small and good.
asked(context, changes) := object.union(
	fixtures.of_proposal({
		"proposal": {"risk": 0.01},
		"context": object.union(object.remove(small, object.keys(context)), context),
	}),
	changes,
)

without(key) := object.union(asked({}, {}), {"context": null}) if key == "context"

without(key) := object.union(document, {"context": object.remove(small, [key])}) if {
	document := object.remove(asked({}, {}), ["context"])
	key != "context"
}

said(document) := {[record.id, record.rung] | some record in results} if {
	results := rule.results with input as document with data.limits.autonomy as some_limits
	every record in results {
		record.decision == "allow"
	}
}

merged := {["autonomy.automerge", "automerge"]}

test_automerge_where_all_is_good if said(asked({}, {})) == merged

test_ceiling if {
	said(asked({"ceiling": "propose"}, {})) == {["autonomy.automerge", "automerge"], ["autonomy.ceiling", "propose"]}
	said(asked({"ceiling": "observe"}, {})) == {["autonomy.automerge", "automerge"], ["autonomy.ceiling", "observe"]}
}

# Harm: a rung that nobody knows lets everything through.
test_ceiling_of_another_name if ["autonomy.ceiling", "observe"] in said(asked({"ceiling": "all"}, {}))

test_ceiling_that_is_not_lower_says_nothing if {
	said(asked({"ceiling": "propose"}, {"environment": "prod"})) == {["autonomy.limit", "propose"]}
}

test_by_environment if said(asked({}, {"environment": "prod"})) == {["autonomy.limit", "propose"]}

test_by_kind if {
	said(asked({}, {"proposal": {"kind": "old_snapshot"}})) == {["autonomy.limit", "advise"]}
}

test_by_risk if {
	said(asked({}, {"proposal": {"risk": 0.011}})) == {["autonomy.risk", "propose"]}
	said(asked({}, {"proposal": {"risk": 0.2}})) == {["autonomy.risk", "propose"]}
	said(asked({}, {"proposal": {"risk": 0.21}})) == {["autonomy.risk", "advise"]}
	said(asked({}, {"proposal": {"risk": null}})) == {["autonomy.risk", "advise"]}
}

none := {["autonomy.no_record", "propose"]}

# Harm: what nobody has ever held against its promise merges itself.
test_no_record if {
	every record in [null, {}, "good", object.union(good, {"merged": 0}), object.union(good, {"merged": "many"})] {
		said(asked({"record": record}, {})) == none
	}
	said(without("context")) == none
	said(without("record")) == none
}

poor := {["autonomy.record", "propose"]}

test_poor_record if {
	every change in [
		{"merged": 9, "reverts": 0},
		{"reverts": 2},
		{"reverts": null},
		{"realised_ratio": {"low": 0.79}},
		{"realised_ratio": {"low": null}},
		{"realised_ratio": null},
	] {
		said(asked({"record": object.union(good, change)}, {})) == poor
	}
}

# Harm: what works for others merges itself where it was reverted.
test_record_of_the_team_counts_too if {
	of_team(good) == merged
	of_team({"merged": 0}) == merged
	of_team(object.union(good, {"reverts": 5})) == poor
	of_team("good") == poor
	of_team({"merged": "many"}) == poor
}

of_team(record) := said(asked({"record": object.union(good, {"team": record})}, {}))

large := {["autonomy.blast_radius", "propose"]}

test_only_within_the_blast_radius if {
	said(asked({"resources": 2}, {})) == large
	said(asked({"capacity": {"cores": {"before": 10, "after": 8}}}, {})) == large
	said(asked({}, {"proposal": {"current": "2"}})) == large
	said(asked({}, {"proposal": {"saving_per_month": {"mid": "20.01"}}})) == large
	said(asked({}, {"proposal": {"saving_per_month": {"mid": "-20.01"}}})) == large
	said(asked({}, {"proposal": {"saving_per_month": {"mid": "1", "currency": "EUR"}}})) == large
}

# Harm: what is not known is taken for small.
test_what_is_not_known_is_not_small if {
	said(without("resources")) == large
	said(without("capacity")) == large
	said(asked({"resources": null}, {})) == large
	said(asked({}, {"proposal": {"current": "m5.large"}})) == large
}

test_manifests_have_no_rung if {
	said(fixtures.of_manifest(fixtures.manifest)) == set()
	rule.evaluable with input as fixtures.of_manifest(fixtures.manifest)
}

test_words if {
	actual(asked({}, {})) == {"rightsize_cpu: 10 merged, 1 reverted, at least 80 % of what was promised realised"}
	actual(asked({"record": {}}, {"proposal": {"risk": null}})) == {
		"its risk is not known",
		"there is no realised record of rightsize_cpu yet",
	}
	actual(asked({"record": object.union(good, {"merged": 1, "reverts": null, "realised_ratio": null})}, {})) == {
		"rightsize_cpu: its record cannot be read",
	}
	actual(asked({"resources": 3}, {})) == {
		"a cut by 50 %, 3 resources, 5 % of the team's capacity, 20 USD a month",
	}
	actual(asked({}, {"proposal": {"kind": "old_snapshot"}, "environment": "lab"})) == {
		"old_snapshot in lab goes as far as advise",
	}
}

actual(document) := {record.actual | some record in results} if {
	results := rule.results with input as document with data.limits.autonomy as some_limits
}

test_limits_that_cannot_be_read_cannot_be_evaluated if {
	rule.evaluable with input as asked({}, {}) with data.limits.autonomy as some_limits
	every change in [
		{"rung": "high"},
		{"kinds": {"old_snapshot": "no"}},
		{"max_risk": {"automerge": "low"}},
		{"min_merged": null},
		{"automerge_within": {"resources": -1}},
		{"automerge_money": 5},
		{"automerge_money": {"USD": "5"}},
	] {
		not rule.evaluable with input as asked({}, {})
			with data.limits.autonomy as object.union(some_limits, {"defaults": change})
	}
	not rule.evaluable with input as asked({}, {"proposal": {"kind": null}})
		with data.limits.autonomy as some_limits
}

# A limit of nothing is a limit.
test_limits_at_their_bounds if {
	rule.evaluable with input as asked({}, {})
		with data.limits.autonomy as object.union(some_limits, {"defaults": {"max_reverted_share": 0, "min_merged": 0}})
}

# Harm: where no record is asked for, none counts as a good one.
test_nothing_merged_is_no_record if {
	results := rule.results with input as asked({"record": object.union(good, {"merged": 0, "reverts": 0})}, {})
		with data.limits.autonomy as object.union(some_limits, {"defaults": {"min_merged": 0}})
	not "automerge" in {record.rung | some record in results}
}

test_share_of_capacity_at_its_bound if {
	said(asked({"capacity": {"cores": {"before": 10, "after": 9}}}, {})) == merged
}

# Harm: a team whose capacity nobody knows has all of it cut.
test_capacity_of_nothing if said(asked({"capacity": {}}, {})) != merged
