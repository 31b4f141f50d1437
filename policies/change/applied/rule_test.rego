package finops.tests.change.applied

import rego.v1

import data.finops.rules.change.applied as rule
import data.finops.tests.fixtures

denied := {["change.applied", "deny"]}

said(document) := fixtures.said(results) if {
	results := rule.results with input as document
}

test_applied if said(fixtures.of_proposal({})) == set()

test_not_applied if {
	said(fixtures.of_proposal({"resource": {"changed": false}})) == denied
	said(fixtures.of_proposal({"resource": {"changed": "true"}})) == denied
}

test_no_field_no_change if {
	said(fixtures.of_proposal({"proposal": {"field": ""}, "resource": {"changed": false}})) == set()
}

test_manifests if {
	said(fixtures.of_manifest(fixtures.manifest)) == set()
	rule.evaluable with input as fixtures.of_manifest(fixtures.manifest)
}

test_field_that_is_no_text_cannot_be_evaluated if {
	rule.evaluable with input as fixtures.of_proposal({})
	not rule.evaluable with input as fixtures.of_proposal({"proposal": {"field": null}})
}
