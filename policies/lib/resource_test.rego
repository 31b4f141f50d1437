package finops.tests.resource

import rego.v1

import data.finops.lib.resource

test_labels_of_every_place if {
	labels := resource.labels with input as {"resource": {
		"namespace_labels": {"a": "namespace", "b": "namespace"},
		"labels": {"f": "given"},
		"manifest": {
			"metadata": {"labels": {"b": "own"}},
			"spec": {
				"forProvider": {"tags": {"c": "tag"}},
				"template": {"metadata": {"labels": {"d": "pod"}}},
				"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"e": "job"}}}}},
			},
		},
	}}
	labels == {"a": "namespace", "b": "own", "c": "tag", "d": "pod", "e": "job", "f": "given"}
}

test_tags_as_a_list if {
	labels := resource.labels with input as {"resource": {"manifest": {"spec": {"forProvider": {"tags": [
		{"key": "team", "value": "a"},
		{"Key": "env", "Value": "b"},
		"nonsense",
	]}}}}}
	labels == {"team": "a", "env": "b"}
}

test_labels_that_are_none if {
	labels := resource.labels with input as {"resource": {"labels": "team=a", "manifest": {}}}
	labels == {}
}

test_keys_in_any_spelling if {
	value := resource.label(["cost-center"]) with input as {"resource": {
		"labels": {"finops.example.io/Cost_Center": "cc-9"},
		"manifest": {},
	}}
	value == "cc-9"
}

test_values_that_are_no_text_do_not_count if {
	not resource.label(["team"]) with input as {"resource": {"labels": {"team": 7}, "manifest": {}}}
	not resource.label(["team"]) with input as {"resource": {"labels": {"team": " "}, "manifest": {}}}
}

test_annotations_say_true_too if {
	resource.says_true(["x/approved"]) with input as {"resource": {
		"annotations": {"x/approved": "true"},
		"manifest": {},
	}}
	not resource.says_true(["x/approved"]) with input as {"resource": {
		"annotations": {"x/approved": "TRUE"},
		"manifest": {},
	}}
}

test_containers_wherever_they_are if {
	every spec in [
		{"containers": [{"name": "a"}]},
		{"template": {"spec": {"containers": [{"name": "a"}]}}},
		{"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}}},
	] {
		containers := resource.containers with input as {"resource": {"manifest": {"spec": spec}}}
		containers == [{"name": "a"}]
	}
}

test_group if {
	group := resource.api_group with input as {"resource": {"manifest": {"apiVersion": "apps/v1"}}}
	group == "apps"
	not resource.api_group with input as {"resource": {"manifest": {"apiVersion": "v1"}}}
}
