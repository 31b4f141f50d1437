# Input documents that the tests vary. No test of its own.
package finops.tests.fixtures

import rego.v1

labels := {"team": "search", "environment": "staging", "cost-center": "cc-1"}

manifest := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": "api", "namespace": "shop", "labels": labels},
	"spec": {
		"replicas": 2,
		"template": {"spec": {"containers": [{
			"name": "server",
			"resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
		}]}},
	},
}

# The document of a manifest.
of_manifest(document) := {
	"environment": "",
	"resource": {
		"kind": document.kind,
		"labels": object.get(document, ["metadata", "labels"], {}),
		"annotations": {},
		"manifest": document,
	},
	"context": {},
}

# The document of a proposal to halve a CPU request, with `changes` merged into it.
of_proposal(changes) := object.union(
	{
		"environment": "staging",
		"resource": {
			"kind": "Deployment",
			"labels": labels,
			"annotations": {},
			"manifest": manifest,
			"changed": true,
		},
		"proposal": {
			"kind": "rightsize_cpu",
			"owner": "search",
			"risk": 0.001,
			"field": "spec.template.spec.containers[name=server].resources.requests.cpu",
			"current": "1",
			"proposed": "500m",
			"saving_per_month": {"low": "10", "mid": "20", "high": "30", "currency": "USD"},
			"evidence": {"figures": {"p95_cores": 0.4}},
		},
		"context": {"team": "search", "spend": {
			"team_month_to_date": "500",
			"team_forecast": "1000",
			"currency": "USD",
		}},
	},
	changes,
)

# A proposal that costs `amount` more a month.
of_raise(amount) := of_proposal({"proposal": {
	"current": "250m",
	"saving_per_month": {"low": amount, "mid": amount, "high": amount},
}})

# What rules said, without the words: id and decision.
said(results) := {[record.id, record.decision] | some record in results}
