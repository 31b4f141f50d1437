package finops.tests.limits

import rego.v1

import data.finops.lib.limits

some_limits := {"defaults": {"a": 1, "b": {"x": 1, "y": 1}}, "environments": {"production": {"b": {"x": 2}}}}

test_environment_changes_only_what_it_names if {
	got := limits.of("topic") with data.limits.topic as some_limits
		with input as {"environment": "prod", "resource": {"manifest": {}}}
	got == {"a": 1, "b": {"x": 2, "y": 1}}
}

test_defaults_hold_elsewhere if {
	got := limits.of("topic") with data.limits.topic as some_limits
		with input as {"environment": "lab", "resource": {"manifest": {}}}
	got == some_limits.defaults
}

test_no_defaults_no_limits if {
	not limits.of("topic") with data.limits.topic as {"environments": {}}
		with input as {"environment": "", "resource": {"manifest": {}}}
}
