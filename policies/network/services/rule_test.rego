package finops.tests.network.services

import rego.v1

import data.finops.rules.network.services
import data.finops.tests.fixtures

service(version, type) := fixtures.of_manifest({"apiVersion": version, "kind": "Service", "spec": {"type": type}})

said(environment, document) := value if {
	value := fixtures.said(services.results) with input as object.union(document, {"environment": environment})
}

test_types if {
	said("dev", service("v1", "LoadBalancer")) == {["network.service_type", "needs_approval"]}
	said("dev", service("v1", "NodePort")) == set()
	said("dev", fixtures.of_manifest({"apiVersion": "v1", "kind": "Service", "spec": {}})) == set()
	said("dev", service("serving.knative.dev/v1", "LoadBalancer")) == set()
	said("production", service("v1", "LoadBalancer")) == set()
	said("dev", object.union(service("v1", "LoadBalancer"), {"resource": {"kind": "Gateway"}})) == set()
}

test_decision if {
	decided := fixtures.said(services.results) with input as service("v1", "NodePort")
		with data.limits.services.defaults as {"decision": "deny", "refused_types": ["NodePort"]}
	decided == {["network.service_type", "deny"]}
	document := object.union(service("v1", "NodePort"), {"proposal": fixtures.of_proposal({}).proposal})
	eased := fixtures.said(services.results) with input as document
		with data.limits.services.defaults as {"decision": "deny", "refused_types": ["NodePort"]}
	eased == {["network.service_type", "needs_approval"]}
}

test_evaluable_with_its_limits if {
	every decision in ["deny", "needs_approval"] {
		services.evaluable with input as service("v1", "") with data.limits.services.defaults.decision as decision
	}
	not services.evaluable with input as service("v1", "") with data.limits.services.defaults.decision as "ignore"
	not services.evaluable with input as service("v1", "") with data.limits.services.defaults.refused_types as {}
}
