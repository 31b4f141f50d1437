package finops.tests.ai.model_card

import rego.v1

import data.finops.rules.ai.model_card
import data.finops.tests.fixtures

service(annotations) := fixtures.of_manifest({
	"kind": "InferenceService",
	"metadata": {"annotations": annotations},
	"spec": {},
})

said(document) := said_with(document, {})

said_with(document, changes) := value if {
	value := fixtures.said(model_card.results) with input as document
		with data.limits.ai.defaults as object.union(data.limits.ai.defaults, changes)
}

without := {["ai.model_card", "needs_approval"]}

test_without if {
	said(service({})) == without
	said(service({"finops.io/model-card": "tbd"})) == without
	said(object.union(service({}), {"environment": "production"})) == without
	said_with(service({}), {"papers_decision": "deny"}) == {["ai.model_card", "deny"]}
}

test_with if {
	said(service({"finops.io/model-card": "https://cards.example/a"})) == set()
	said(fixtures.of_manifest({"kind": "ModelCard", "spec": {}})) == set()
	said(fixtures.of_manifest({"kind": "Model", "spec": {}})) == set()
}

# A saving does not wait for papers; what makes the model dearer does.
test_when if {
	said(object.union(service({}), {"environment": "dev"})) == set()
	said_with(service({}), {"card_wanted": false}) == set()
	said(object.union(service({}), {"proposal": fixtures.of_proposal({}).proposal})) == set()
	said(object.union(service({}), {"proposal": fixtures.of_raise("-5").proposal})) == without
	said(fixtures.of_manifest({"kind": "Deployment", "spec": {}})) == set()
}

evaluable_with(changes) if {
	model_card.evaluable with input as service({})
		with data.limits.ai.defaults as object.union(data.limits.ai.defaults, changes)
}

test_evaluable_with_its_limits if {
	every decision in ["deny", "needs_approval"] {
		evaluable_with({"papers_decision": decision})
	}
	not evaluable_with({"papers_decision": "ignore"})
	not evaluable_with({"card_wanted": "yes"})
	not evaluable_with({"card_keys": {}})
}
