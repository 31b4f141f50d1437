package finops.tests.carbon.intensity

import rego.v1

import data.finops.rules.carbon.intensity
import data.finops.tests.fixtures

grid := {"gco2e_per_kwh": {"eu-north-1": 40, "eu-west-1": 300, "af-south-1": 700, "eu-west-9": 600, "ap-x-1": 44, "eu-west-8": 350}}

said(document) := said_with(document, {})

said_with(document, changes) := value if {
	value := fixtures.said(intensity.results) with input as document
		with data.limits.grid as grid
		with data.limits.carbon.defaults as object.union(data.limits.carbon.defaults, changes)
}

work(kind, region, labels, annotations) := fixtures.of_manifest({
	"kind": kind,
	"metadata": {"labels": labels, "annotations": annotations},
	"spec": {"nodeSelector": {"topology.kubernetes.io/region": region}},
})

dirty := {["carbon.dirty_region", "needs_approval"]}

test_batch_work_in_a_dirty_region if {
	every kind in [
		"CronJob", "CronWorkflow", "Job", "MPIJob", "PyTorchJob", "RayJob", "SparkApplication",
		"TFJob", "TrainJob", "Workflow", "aws_batch_job_definition", "google_dataproc_job",
	] {
		said(work(kind, "af-south-1", {}, {})) == dirty
		said(work(kind, "eu-west-1", {}, {})) == set()
		said(work(kind, "eu-west-9", {}, {})) == set()
	}
	said(work("Job", "eu-nowhere-1", {}, {})) == set()
	said(work("Deployment", "af-south-1", {}, {})) == set()
}

test_labels_say_what_is_bound if {
	every key in ["finops.io/latency-bound", "finops/latency-bound", "latency_bound"] {
		said(work("Deployment", "af-south-1", {key: "False"}, {})) == dirty
		said(work("Deployment", "af-south-1", {}, {key: "false"})) == dirty
		said(work("Deployment", "af-south-1", {key: "true"}, {})) == set()
		said(work("Job", "af-south-1", {key: "true"}, {})) == set()
		said(work("Job", "af-south-1", {}, {key: " true "})) == set()
	}
	said(work("Deployment", "af-south-1", {"finops/movable": "true"}, {})) == dirty
	said(work("Job", "af-south-1", {"finops/movable": "false"}, {})) == set()
}

test_preferred_regions if {
	other := {["carbon.not_preferred", "needs_approval"]}
	said_with(work("Job", "eu-west-1", {}, {}), {"preferred": ["eu-north-[0-9]", "eu-south-1"]}) == other
	said_with(work("Job", "eu-north-1", {}, {}), {"preferred": ["eu-north-[0-9]", "eu-south-1"]}) == set()
	said_with(work("Deployment", "eu-west-1", {}, {}), {"preferred": ["eu-north-1"]}) == set()
}

change(field, current, proposed) := fixtures.of_proposal({
	"resource": {"kind": "Job", "manifest": {"spec": {"nodeSelector": {"topology.kubernetes.io/region": proposed}}}},
	"proposal": {"field": field, "current": current, "proposed": proposed},
})

# Harm: carbon is spent to save money, and nobody is asked.
test_moves if {
	said(change("region", "eu-north-1", "eu-west-1")) == {["carbon.dirtier_move", "needs_approval"]}
	said(change("region", "eu-west-1", "eu-north-1")) == set()
	said(change("region", "eu-north-1", "ap-x-1")) == set()
	said(change("region", "eu-west-1", "af-south-1a")) == {["carbon.dirtier_move", "deny"]}
	# Twice as dirty is not more than twice; beyond that, up to the limit of grams, a person decides.
	said(change("region", "eu-west-1", "eu-west-9")) == {["carbon.dirtier_move", "needs_approval"]}
	said(change("region", "eu-west-8", "af-south-1")) == {["carbon.dirtier_move", "needs_approval"]}
	said(change("region", "eu-north-1", "eu-west-9")) == {["carbon.dirtier_move", "needs_approval"]}
	said(change("region", "eu-west-9", "af-south-1")) == {["carbon.dirtier_move", "needs_approval"]}
}

# What stands in a dirty region and is not moved is no fault of the change.
test_proposals_that_move_nothing if {
	said(change("replicas", "2", "1")) == set()
	said_with(change("region", "eu-west-1", "eu-north-1"), {"preferred": ["eu-west-1"]}) == set()
	said(fixtures.of_proposal({"resource": {"kind": "Job", "manifest": {"spec": {"nodeSelector": {"topology.kubernetes.io/region": "af-south-1"}}}}})) == set()
}

test_moves_to_where_nothing_is_known if {
	every field in ["region", "spec.forProvider.region", "/availability_zone", "location", "spec.zone"] {
		said(change(field, "eu-west-1", "xx-nowhere-1")) == {["carbon.move_unknown", "needs_approval"]}
	}
	said(change("region", "xx-nowhere-1", "eu-west-1")) == set()
	said(change("size", "eu-west-1", "xx-nowhere-1")) == set()
}

adding(kg) := fixtures.of_proposal({"proposal": {"carbon_kg_per_month": {"low": kg, "mid": kg, "high": kg}}})

test_added_carbon if {
	said(adding(-100.5)) == {["carbon.added", "needs_approval"]}
	said(adding(-100)) == set()
	said(adding(500)) == set()
	said(adding(null)) == set()
	some record in intensity.results with input as adding(-150.126)
	record.actual == "150.13 kgCO2e a month more"
}

evaluable_with(changes) if {
	intensity.evaluable with input as work("Job", "eu-west-1", {}, {})
		with data.limits.carbon.defaults as object.union(data.limits.carbon.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({})
	every key in ["max_gco2e_per_kwh", "rise_share", "refused_rise_share", "max_added_kg_month"] {
		evaluable_with({key: 0})
		not evaluable_with({key: -1})
		not evaluable_with({key: "1"})
	}
	every key in ["preferred", "batch_kinds", "latency_keys", "movable_keys"] {
		not evaluable_with({key: {}})
	}
	not intensity.evaluable with data.limits.grid as {}
		with input as work("Job", "eu-west-1", {}, {})
}

# Harm: the facts that are compared are another unit, or another country's.
test_the_facts_that_are_shipped if {
	data.limits.grid.gco2e_per_kwh["eu-west-3"] < 100
	data.limits.grid.gco2e_per_kwh["ap-south-1"] > 600
	every amount in data.limits.grid.gco2e_per_kwh {
		amount > 10
		amount < 1000
	}
}
