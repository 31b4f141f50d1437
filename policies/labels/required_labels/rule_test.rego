package finops.tests.labels.required_labels

import rego.v1

import data.finops.rules.labels.required_labels as rule
import data.finops.tests.fixtures

with_labels(labels) := fixtures.of_manifest({
	"kind": "Deployment",
	"metadata": {"name": "a", "labels": labels},
})

test_all_labels if {
	count(rule.results) == 0 with input as with_labels(fixtures.labels)
}

test_each_label_is_asked_for if {
	every label in ["team", "environment", "cost-center"] {
		results := rule.results with input as with_labels(object.remove(fixtures.labels, [label]))
		some record in results
		record.actual == sprintf("without %s", [label])
		record.decision == "deny"
		contains(record.fix, label)
	}
}

test_other_spellings if {
	count(rule.results) == 0 with input as with_labels({
		"example.io/Owner": "search",
		"env": "prod",
		"costCenter": "cc-1",
	})
}

test_placeholders_name_nobody if {
	results := rule.results with input as with_labels(object.union(fixtures.labels, {"team": " TBD "}))
	fixtures.said(results) == {["labels.required", "deny"]}
}

test_labels_of_the_namespace_count_where_data_says_so if {
	document := object.union(with_labels({}), {"resource": {"namespace_labels": fixtures.labels}})
	count(rule.results) == 1 with input as document
	count(rule.results) == 0 with input as document
		with data.limits.labels.defaults.namespace_counts as true
}

test_whether_the_namespace_counts_has_to_be_said if {
	not rule.evaluable with input as with_labels({})
		with data.limits.labels.defaults.namespace_counts as "no"
}

test_namespaces_need_no_environment if {
	count(rule.results) == 0 with input as fixtures.of_manifest({
		"kind": "Namespace",
		"metadata": {"name": "a", "labels": {"owner": "search", "cost-center": "cc-1"}},
	})
}

test_kinds_that_cost_nothing_are_left_alone if {
	count(rule.results) == 0 with input as fixtures.of_manifest({"kind": "ConfigMap"})
	rule.evaluable with input as fixtures.of_manifest({"kind": "ConfigMap"})
}

test_managed_cloud_resources if {
	document := fixtures.of_manifest({
		"kind": "Bucket",
		"spec": {"forProvider": {"tags": {"CostCenter": "cc-1"}}},
	})
	results := rule.results with input as document
	some record in results
	record.actual == "without team"
}

test_environment_decides_how_severe if {
	results := rule.results with input as with_labels({"env": "dev", "team": "a"})
	fixtures.said(results) == {["labels.required", "needs_approval"]}
}

test_limits_are_data if {
	results := rule.results with input as with_labels({})
		with data.limits.labels.defaults.kinds as {"Deployment": ["colour"]}
		with data.limits.labels.defaults.keys as {"colour": ["colour"]}
	some record in results
	record.limit == "labels colour"
}

test_label_without_spellings_goes_by_its_own_name if {
	count(rule.results) == 1 with input as with_labels({})
		with data.limits.labels.defaults.kinds as {"Deployment": ["data-class"]}
	count(rule.results) == 0 with input as with_labels({"acme.io/dataClass": "public"})
		with data.limits.labels.defaults.kinds as {"Deployment": ["data-class"]}
	not rule.evaluable with input as with_labels({})
		with data.limits.labels.defaults.keys as {"team": "team", "environment": [], "cost-center": []}
}

# Harm: a domain counts fewer spellings, and a placeholder that stood before a name is passed over.
test_one_spelling_that_names_somebody_is_enough if {
	count(rule.results) == 0 with input as with_labels(object.union(fixtures.labels, {"team": "todo", "owner": "search"}))
}

test_managed_resource_of_a_listed_kind_carries_both if {
	document := fixtures.of_manifest({"kind": "Bucket", "spec": {"forProvider": {"tags": {}}}})
	results := rule.results with input as document
		with data.limits.labels.defaults.kinds as {"Bucket": ["data-class", "team"]}
	some record in results
	record.actual == "without data-class, team, cost-center"
}

patterned(labels) := value if {
	value := fixtures.said(rule.results) with input as object.union(
		fixtures.of_manifest({"kind": "Namespace", "metadata": {"labels": labels}}),
		{},
	)
		with data.limits.labels.defaults.patterns as {"cost-center": "^cc-[0-9]+$"}
}

# Harm: a cost centre that accounting has never heard of passes for one.
test_values_have_to_match_their_pattern if {
	patterned({"team": "a", "cost-center": "cc-12"}) == set()
	patterned({"team": "a", "cost-center": "12"}) == {["labels.required", "deny"]}
	patterned({"team": "anything", "cost-center": "cc-1"}) == set()
	not rule.evaluable with data.limits.labels.defaults.patterns as []
		with input as fixtures.of_manifest({"kind": "Namespace"})
}
