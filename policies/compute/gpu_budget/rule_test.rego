package finops.tests.compute.gpu_budget

import rego.v1

import data.finops.rules.compute.gpu_budget as rule
import data.finops.tests.fixtures

denied := {["compute.gpu_budget", "deny"]}

approved := {["compute.gpu_budget_approved", "allow"]}

said(document) := fixtures.said(results) if {
	results := rule.results with input as document
}

pod(spec) := fixtures.of_manifest({"kind": "Pod", "metadata": {"name": "a"}, "spec": spec})

field(key, value) := fixtures.of_manifest({"kind": "Instance", "spec": {"forProvider": {key: value}}})

test_selector if {
	said(pod({"nodeSelector": {"node.kubernetes.io/instance-type": "p4d.24xlarge"}})) == denied
	said(pod({"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}})) == denied
	said(pod({"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}})) == denied
}

test_cheap_types if {
	said(pod({"nodeSelector": {"node.kubernetes.io/instance-type": "g4dn.xlarge"}})) == set()
	said(pod({"nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4"}})) == set()
	said(field("instanceType", "t3.medium")) == set()
	said(field("vmSize", "Standard_D4s_v5")) == set()
	said(field("machineType", "a2")) == set()
}

test_fields_of_managed_resources if {
	said(field("instanceType", "p5.48xlarge")) == denied
	said(field("machineType", "a3-highgpu-8g")) == denied
	said(field("vmSize", "Standard_ND96asr_v4")) == denied
	said(field("vmSize", "Standard_NC24ads_A100_v4")) == denied
	said(field("instanceTypes", ["m5.large", "p3.2xlarge"])) == denied
}

term(operator) := pod({"affinity": {"nodeAffinity": {
	"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{
		"key": "node.kubernetes.io/instance-type",
		"operator": operator,
		"values": ["p4d.24xlarge"],
	}]}]},
}}})

test_affinity if {
	said(term("In")) == denied
	said(term("NotIn")) == set()
}

# Harm: words that merely contain a type's name, or name it where nothing is asked for.
test_no_false_alarms if {
	said(pod({"nodeSelector": {"accelerator": "a100x"}})) == set()
	said(pod({"nodeSelector": {"team": "a100"}})) == set()
	said(fixtures.of_manifest({"kind": "Pod", "metadata": {"labels": {"accelerator": "a100"}}})) == set()
	said(field("description", "p4d.24xlarge")) == set()
}

label(value) := object.union(
	pod({"nodeSelector": {"accelerator": "nvidia-a100"}}),
	{"resource": {"labels": {"finops.io/budget-approved": value}}},
)

test_approved_budget if {
	said(label("true")) == approved
	said(label("yes")) == denied
	said(label(true)) == denied
}

test_proposals if {
	gpu := {"resource": {"manifest": {"spec": {"template": {"spec": {"nodeSelector": {"accelerator": "nvidia-a100"}}}}}}}
	said(fixtures.of_proposal(gpu)) == {["compute.gpu_budget", "needs_approval"]}
	said(object.union(fixtures.of_raise("-5"), gpu)) == denied
}

test_limits_are_data if {
	document := field("instanceType", "t3.medium")
	results := rule.results with input as document with data.limits.gpu.defaults.expensive as ["t3\\..*"]
	fixtures.said(results) == denied
}

test_every_value_is_named if {
	results := rule.results with input as field("instanceTypes", ["p5.48xlarge", "p3.2xlarge"])
	some record in results
	record.actual == "p3.2xlarge, p5.48xlarge"
}

test_an_approval_that_nobody_needed_says_nothing if {
	document := object.union(
		field("instanceType", "t3.medium"),
		{"resource": {"labels": {"finops.io/budget-approved": "true"}}},
	)
	said(document) == set()
}
