package finops.tests.serverless.memory_ceiling

import rego.v1

import data.finops.rules.serverless.memory_ceiling as rule
import data.finops.tests.fixtures

denied := {["serverless.memory", "deny"]}

said(document) := fixtures.said(results) if {
	results := rule.results with input as document
		with data.limits.serverless as {
			"defaults": {"max_memory_mib": 512},
			"environments": {"production": {"max_memory_mib": 1024}},
		}
}

with_memory(value) := fixtures.of_manifest({"kind": "ServerlessFunction", "spec": {"memory": value}})

test_over if {
	every value in [513, "513", "1Gi", "600MB", "513 MiB", "1G"] {
		said(with_memory(value)) == denied
	}
}

test_under if {
	every value in [512, "512", "512Mi", "512MB", "512M", "128", 0] {
		said(with_memory(value)) == set()
	}
}

test_unreadable if {
	every value in ["lots", "", "1.2.3", {"Ref": "Memory"}, [1024]] {
		said(with_memory(value)) == {["serverless.memory_unreadable", "deny"]}
	}
}

test_environment if {
	document := fixtures.of_manifest({
		"kind": "ServerlessFunction",
		"metadata": {"labels": {"env": "prod"}},
		"spec": {"memory": 1024},
	})
	said(document) == set()
}

test_kinds if {
	said(fixtures.of_manifest({
		"apiVersion": "lambda.aws.upbound.io/v1beta1",
		"kind": "Function",
		"spec": {"forProvider": {"memorySize": 2048}},
	})) == denied
	said(fixtures.of_manifest({
		"apiVersion": "cloudfunctions2.gcp.upbound.io/v1beta1",
		"kind": "Function",
		"spec": {"forProvider": {"serviceConfig": [{"availableMemory": "2G"}]}},
	})) == denied
	said(fixtures.of_manifest({
		"apiVersion": "serving.knative.dev/v1",
		"kind": "Service",
		"spec": {"template": {"spec": {"containers": [{"resources": {"limits": {"memory": "1Gi"}}}]}}},
	})) == denied
}

test_other_kinds_are_left_alone if {
	said(fixtures.of_manifest({
		"apiVersion": "v1",
		"kind": "Service",
		"spec": {"memory": 4096},
	})) == set()
	said(fixtures.of_manifest({"apiVersion": "pkg.crossplane.io/v1", "kind": "Function", "spec": {"memory": 4096}})) == set()
	said(fixtures.of_manifest(fixtures.manifest)) == set()
}

test_no_memory_declared if {
	said(fixtures.of_manifest({"kind": "ServerlessFunction", "spec": {}})) == set()
}

test_lowering_what_is_too_much_takes_a_person if {
	said(fixtures.of_proposal({"resource": {
		"kind": "ServerlessFunction",
		"manifest": {"spec": {"memory": 1024}},
	}})) == {["serverless.memory", "needs_approval"]}
}

test_limits_have_to_be_amounts if {
	not rule.evaluable with input as with_memory(1) with data.limits.serverless as {"defaults": {}}
}

test_a_ceiling_of_nothing_is_none if {
	not rule.evaluable with input as with_memory(1) with data.limits.serverless as {"defaults": {"max_memory_mib": 0}}
}
