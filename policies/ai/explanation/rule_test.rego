package finops.tests.ai.explanation

import rego.v1

import data.finops.rules.ai.explanation
import data.finops.tests.fixtures

service(annotations) := fixtures.of_manifest({
	"kind": "InferenceService",
	"metadata": {"annotations": annotations},
	"spec": {},
})

said(document) := said_with(document, {})

said_with(document, changes) := value if {
	value := fixtures.said(explanation.results) with input as document
		with data.limits.ai.defaults as object.union(data.limits.ai.defaults, changes)
}

without := {["ai.explanation", "needs_approval"]}

test_without if {
	said(service({})) == without
	said(service({"finops.io/explanation": "tbd"})) == without
	said(object.union(service({}), {"environment": "production"})) == without
	said_with(service({}), {"papers_decision": "deny"}) == {["ai.explanation", "deny"]}
}

test_with if {
	said(service({"finops.io/explanation": "shap"})) == set()
	said(service({"finops.io/explainer": "shap"})) == set()
	said(object.union(service({}), {"resource": {"manifest": {"spec": {"explainer": {"art": {}}}}}})) == set()
	said(object.union(service({}), {"resource": {"manifest": {"spec": {"explainer": "none"}}}})) == without
}

# A saving does not wait for papers; what makes the model dearer does.
test_when if {
	said(object.union(service({}), {"environment": "dev"})) == set()
	said_with(service({}), {"explanation_wanted": false}) == set()
	said(object.union(service({}), {"proposal": fixtures.of_proposal({}).proposal})) == set()
	said(object.union(service({}), {"proposal": fixtures.of_raise("-5").proposal})) == without
	said(fixtures.of_manifest({"kind": "Deployment", "spec": {}})) == set()
}

evaluable_with(changes) if {
	explanation.evaluable with input as service({})
		with data.limits.ai.defaults as object.union(data.limits.ai.defaults, changes)
}

test_evaluable_with_its_limits if {
	every decision in ["deny", "needs_approval"] {
		evaluable_with({"papers_decision": decision})
	}
	not evaluable_with({"papers_decision": "ignore"})
	not evaluable_with({"explanation_wanted": "yes"})
	not evaluable_with({"explanation_keys": {}})
}
