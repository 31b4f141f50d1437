# Kinds of Services that cost by the month: each load balancer is billed on its own.
# What they let through is nobody's business here.
package finops.rules.network.services

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.resource

limit := limits.of("services")

evaluable if {
	limit.decision in {"deny", "needs_approval"}
	is_array(limit.refused_types)
}

# METADATA
# title: A Service of a kind that is not wanted here
# description: >-
#   Each such Service has a load balancer or a port of its own, which costs by the month; one Ingress
#   or Gateway may stand before many.
# scope: rule
# custom:
#   id: network.service_type
#   judges: [proposal, manifest]
#   fix: Put the Service behind the cluster's Ingress or Gateway, or have its owner approve it.
results contains record if {
	resource.kind == "Service"
	startswith(resource.api_version, "v1")
	type := object.get(resource.manifest, ["spec", "type"], "ClusterIP")
	type in limit.refused_types
	record := {
		"id": "network.service_type",
		"decision": change.severity(limit.decision),
		"actual": type,
		"limit": sprintf("none of %s", [concat(", ", limit.refused_types)]),
	}
}
