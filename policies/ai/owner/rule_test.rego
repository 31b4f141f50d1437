package finops.tests.ai.owner

import rego.v1

import data.finops.rules.ai.owner
import data.finops.tests.fixtures

service(environment, labels) := object.union(
	fixtures.of_manifest({"kind": "InferenceService", "metadata": {"labels": labels}, "spec": {}}),
	{"environment": environment},
)

said(document) := value if {
	value := fixtures.said(owner.results) with input as document
}

shadow := {["ai.owner", "deny"]}

unsure := {["ai.owner", "needs_approval"]}

test_nobody_answers_for_it if {
	said(service("production", {})) == shadow
	said(service("staging", {})) == unsure
	said(service("", {"team": "unknown"})) == unsure
	{record.actual | some record in owner.results} == {"a model without a registered owner"} with input as service("", {})
}

test_somebody_does if {
	every key in ["finops.io/model-owner", "owner", "owning-team", "team"] {
		said(service("production", {key: "ranking"})) == set()
	}
	said(fixtures.of_manifest({"kind": "Deployment", "spec": {}})) == set()
}

test_its_registry_does_not_know_it if {
	said(object.union(service("production", {"team": "a"}), {"context": {"model": {"registered": false}}})) == shadow
	said(object.union(service("production", {"team": "a"}), {"context": {"model": {"registered": true}}})) == set()
	said(object.union(service("production", {"team": "a"}), {"context": {"model": {}}})) == set()
	said(object.union(service("production", {}), {"context": {"model": {"owner": "ranking"}}})) == set()
	said(object.union(service("production", {}), {"context": {"model": {"owner": ""}}})) == shadow
}

test_a_saving_is_shown_to_a_person if {
	said(object.union(service("production", {}), {"proposal": fixtures.of_proposal({}).proposal})) == unsure
	said(object.union(service("production", {}), {"proposal": fixtures.of_raise("-5").proposal})) == shadow
}

evaluable_with(changes) if {
	owner.evaluable with input as service("", {})
		with data.limits.ai.defaults as object.union(data.limits.ai.defaults, changes)
}

test_evaluable_with_its_limits if {
	every decision in ["deny", "needs_approval"] {
		evaluable_with({"owner_decision": decision})
	}
	not evaluable_with({"owner_decision": "ignore"})
	every key in ["owner_keys", "kinds", "images", "devices", "components", "component_keys", "model_keys", "card_kinds"] {
		not evaluable_with({key: {}})
	}
}
