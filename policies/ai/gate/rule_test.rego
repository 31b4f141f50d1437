package finops.tests.ai.gate

import rego.v1

import data.finops.rules.ai.gate
import data.finops.rules.autonomy.ladder
import data.finops.tests.fixtures

unfair := {"check": "fairness", "grade": "fail", "segment": "sex=female", "since": "2026-10-10"}

drifted := {"check": "data_drift", "grade": "fail", "segment": "all", "since": null}

of_model(kind, breaches) := object.union(fixtures.of_proposal({"proposal": {"kind": kind}}), {"context": {"model": {
	"name": "credit",
	"owner": "fraud",
	"breaches": breaches,
}}})

of_engine(kind, engine, breaches) := object.union(
	fixtures.of_proposal({"proposal": {"kind": kind}}),
	{"context": {"engines": {engine: {"gate": "fail", "breaches": breaches}}}},
)

said(document) := {[record.id, record.decision, record.rung] | some record in results} if {
	results := gate.results with input as document
}

only(document) := record if {
	some record in gate.results with input as document
	record.id == "ai.gate"
}

test_a_freeze_lets_only_remedies_and_more_room_through if {
	said(of_model("rightsize_cpu", [unfair])) == {["ai.gate", "deny", "propose"]}
	said(of_model("underprovisioned_cpu", [unfair])) == {["ai.gate", "needs_approval", "propose"]}
	said(of_model("model_rollback", [unfair])) == {
		["ai.gate", "needs_approval", "propose"],
		["ai.remedy", "allow", "propose"],
	}
}

test_by_check_and_grade if {
	said(of_model("rightsize_cpu", [object.union(unfair, {"grade": "warn"})])) == {["ai.gate", "allow", "propose"]}
	said(of_model("rightsize_cpu", [drifted])) == {["ai.gate", "needs_approval", "propose"]}
	said(of_model("rightsize_cpu", [{"check": "energy", "grade": "warn"}])) == {["ai.gate", "allow", "automerge"]}
	said(of_model("rightsize_cpu", [{"check": "energy", "grade": "fail"}])) == {["ai.gate", "allow", "propose"]}
	said(of_model("rightsize_cpu", [])) == set()
	said(of_model("rightsize_cpu", null)) == set()
	said(fixtures.of_proposal({})) == set()
	said(object.remove(of_model("rightsize_cpu", [unfair]), ["proposal"])) == set()
}

test_the_owner_of_the_model_approves if {
	record := only(of_model("model_rollback", [unfair, object.union(unfair, {"segment": "age=55+", "since": "2026-10-08"})]))
	record.approvers == ["@team/fraud"]
	record.actual == "fail: fairness of the model (age=55+, sex=female) since 2026-10-08"
	record.limit == "a gate that passes; until then its owner approves"
	only(of_model("rightsize_cpu", [unfair])).approvers == []
	only(of_model("rightsize_cpu", [unfair])).limit == "a gate that passes; until then nothing but its remedies"
	only(of_model("rightsize_cpu", [drifted])).actual == "fail: data_drift of the model"
	only(of_model("rightsize_cpu", [{"check": "energy", "grade": "fail"}])).limit == "a gate that passes; until then a person merges"
}

test_what_rests_on_an_engine_that_fails if {
	dishonest := {"check": "coverage", "grade": "fail", "segment": "all", "since": "2026-10-10"}
	held := {["ai.gate", "needs_approval", "propose"]}
	said(of_engine("commitment", "cost forecaster", [dishonest])) == held
	said(of_engine("underprovisioned_memory", "cost forecaster", [dishonest])) == held
	said(of_engine("rightsize_cpu", "cost forecaster", [dishonest])) == set()
	said(of_engine("rightsize_cpu", "sizing rules", [dishonest])) == held
	said(of_engine("rightsize_cpu", "another", [dishonest])) == set()
	only(of_engine("commitment", "cost forecaster", [dishonest])).actual == "fail: coverage of cost forecaster since 2026-10-10"
	only(of_engine("commitment", "cost forecaster", [dishonest])).approvers == []
}

# Harm: the ladder merges by itself what is done about a model that harms people.
test_with_the_gate_breached_automerge_does_not_happen_even_where_the_ladder_allows_it if {
	every kind in ["rightsize_cpu", "model_rollback"] {
		allowed(granted(kind, [unfair])) == {"automerge"}
		capped(granted(kind, [unfair])) == {"propose"}
		capped(granted(kind, [object.union(unfair, {"grade": "warn"})])) == {"propose"}
		capped(granted(kind, [drifted])) == {"propose"}
	}
	capped(granted("rightsize_cpu", [])) == set()
}

capped(document) := {record.rung | some record in found} if {
	found := gate.results with input as document
}

allowed(document) := {record.rung | some record in found} if {
	found := ladder.results with input as document
}

# Ceiling automerge, a good record, little money, one small cut.
granted(kind, breaches) := object.union(of_model(kind, breaches), {"context": {
	"ceiling": "automerge",
	"resources": 1,
	"capacity": {"cores": {"before": "20", "after": "19.5"}},
	"record": {"merged": 40, "reverts": 0, "realised_ratio": {"low": "0.95"}},
}})

evaluable_with(changes) if {
	gate.evaluable with input as of_model("rightsize_cpu", [unfair])
		with data.limits.ai.defaults as object.union(data.limits.ai.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({})
	every changes in [
		{"gate_rung": {"fairness": {"warn": "far"}}},
		{"gate_rung": {"other": 1}},
		{"gate_rung": {"new": {"warn": "propose"}}},
		{"gate_decision": {"fairness": {"fail": "perhaps"}}},
		{"gate_decision": {"other": 1}},
		{"gate_exempt": "model_rollback"},
		{"remedies": null},
		{"engine_kinds": {"cost forecaster": "commitment"}},
		{"engine_kinds": {"cost forecaster": [7]}},
	] {
		not evaluable_with(changes)
	}
	without := object.remove(data.limits.ai.defaults, ["gate_decision"])
	not gate.evaluable with input as of_model("rightsize_cpu", []) with data.limits.ai.defaults as without
}

test_what_cannot_be_read_is_no_silence if {
	every breach in [{"check": "fairness", "grade": "bad"}, {"grade": "fail"}, {"check": 1, "grade": "fail"}] {
		not gate.evaluable with input as of_model("rightsize_cpu", [breach])
	}
	gate.evaluable with input as of_model("rightsize_cpu", null)
	not gate.evaluable with input as object.union(of_model("rightsize_cpu", []), {"proposal": {"kind": 7}})
	gate.evaluable with input as fixtures.of_manifest({"kind": "InferenceService"})
}
