package finops.tests.location.regions

import rego.v1

import data.finops.rules.location.regions
import data.finops.tests.fixtures

bucket(region, labels) := {
	"environment": "production",
	"resource": {
		"kind": "aws_s3_bucket",
		"labels": labels,
		"annotations": {},
		"manifest": {"region": region},
	},
	"context": {},
}

said(document) := value if {
	value := fixtures.said(regions.results) with input as document
}

said_with(document, changes) := value if {
	value := fixtures.said(regions.results) with input as document
		with data.limits.location.defaults as object.union(data.limits.location.defaults, changes)
}

outside := {["location.region", "deny"]}

away := {["location.residency", "deny"]}

unknown := {["location.region_unknown", "needs_approval"]}

test_any_region_without_a_list if {
	said(bucket("us-east-1", {})) == set()
	said(bucket("var.region", {})) == set()
}

test_regions_of_the_list if {
	said_with(bucket("eu-west-1", {}), {"within": ["eu-.*"]}) == set()
	said_with(bucket("us-east-1", {}), {"within": ["eu-.*"]}) == outside
	said_with(bucket("us-east-1", {}), {"within": ["eu-.*"], "decision": "needs_approval"}) == {["location.region", "needs_approval"]}
	said_with(bucket("var.region", {}), {"within": ["eu-.*"]}) == unknown
	said_with(bucket([], {}), {"within": ["eu-.*"]}) == unknown
	said_with(bucket("eu-west-3", {}), {"within": ["eu", "fr"]}) == set()
	said_with(bucket("eu-west-1", {}), {"within": ["eu", "fr"]}) == outside
}

# Each place, by regions of each provider that are in it.
held := {
	"eu": [
		"EU", "eu-west-1", "eu-west-3a", "eu-central-1", "eu-north-1", "eu-south-2", "eusc-de-east-1", "europe",
		"europe-west1-b", "europe-west12", "europe-north1", "europe-central2", "europe-southwest1", "EUR4",
		"West Europe", "northeurope", "francecentral", "germanywestcentral", "italynorth", "polandcentral",
		"spaincentral", "swedencentral", "austriaeast", "belgiumcentral", "denmarkeast",
	],
	"de": ["eu-central-1", "eusc-de-east-1", "europe-west3", "europe-west10", "germanywestcentral", "germanynorth"],
	"fr": ["eu-west-3", "europe-west9", "francecentral", "francesouth"],
	"ch": ["eu-central-2", "europe-west6", "switzerlandnorth"],
	"uk": ["eu-west-2", "europe-west2", "uksouth", "ukwest"],
	"us": ["US", "us-east-1", "us-gov-west-1", "us-central1", "nam4", "eastus2", "West US 3", "southcentralus", "usgovvirginia"],
	"ca": ["ca-central-1", "ca-west-1", "northamerica-northeast1", "canadacentral"],
	"au": ["ap-southeast-2", "ap-southeast-4", "australia-southeast1", "australiaeast", "australiacentral2"],
	"jp": ["ap-northeast-1", "ap-northeast-3", "asia-northeast1", "japaneast"],
	"in": ["ap-south-1", "ap-south-2", "asia-south1", "centralindia", "jioindiawest"],
	"sg": ["ap-southeast-1", "asia-southeast1", "southeastasia"],
	"br": ["sa-east-1", "southamerica-east1", "brazilsouth"],
}

test_regions_of_each_place if {
	every place, names in held {
		every name in names {
			said(bucket(name, {"data-residency": place})) == set()
		}
		said(bucket("africa-south1", {"data-residency": place})) == away
	}
}

# Harm: personal data of Europe in London, Zurich or Virginia.
test_regions_that_are_in_no_such_place if {
	every name in ["eu-west-2", "eu-central-2", "europe-west2", "europe-west6", "us-east-1", "uksouth", "switzerlandnorth"] {
		said(bucket(name, {"data-residency": "eu"})) == away
	}
}

test_labels_in_any_spelling if {
	every labels in [{"finops.io/data-residency": "EU"}, {"data_residency": "eu"}, {"residency": "eu,uk"}, {"residency": "uk_eu"}, {"residency": " uk eu "}] {
		said(bucket("us-east-1", labels)) == away
		said(bucket("eu-west-1", labels)) == set()
	}
}

test_a_region_as_residency if {
	every region in ["eu-central-1", "francecentral", "eastus2", "westindia"] {
		said(bucket(region, {"residency": region})) == set()
		said(bucket("us-east-1", {"residency": region})) == away
	}
}

test_classes_of_data if {
	classes := {"classes": {"personal": ["eu", "ch"], "nowhere": []}}
	every key in ["data-class", "data-classification"] {
		said_with(bucket("us-east-1", {key: "Personal"}), classes) == away
		said_with(bucket("eu-central-2", {key: "Personal"}), classes) == set()
		said_with(bucket("us-east-1", {key: "public"}), classes) == set()
		said_with(bucket("eu-west-1", {key: "nowhere"}), classes) == away
		said(bucket("us-east-1", {key: "personal"})) == set()
	}
	# Its own residency binds before its class.
	said_with(bucket("us-east-1", {"data-class": "personal", "residency": "us"}), classes) == set()
}

test_unknown_places_and_regions if {
	said(bucket("us-east-1", {"residency": "atlantis"})) == unknown
	said(bucket("var.region", {"residency": "eu"})) == unknown
	said(bucket([], {"residency": "eu"})) == unknown
	said(bucket({"Ref": "AWS::Region"}, {"residency": "eu"})) == unknown
}

test_what_is_in_no_region if {
	every kind in [
		"aws_iam_role", "aws_route53_zone", "aws_cloudfront_distribution", "AWS::IAM::Role",
		"azurerm_dns_zone", "google_project_iam_member",
	] {
		said(object.union(bucket([], {"residency": "eu"}), {"resource": {"kind": kind}})) == set()
		said(object.union(bucket("us-east-1", {"residency": "eu"}), {"resource": {"kind": kind}})) == set()
		said_with(object.union(bucket("us-east-1", {}), {"resource": {"kind": kind}}), {"within": ["eu"]}) == set()
	}
	said(bucket("global", {"residency": "eu"})) == set()
	said(object.union(bucket([], {"residency": "eu"}), {"resource": {
		"kind": "Role",
		"manifest": {"apiVersion": "iam.aws.upbound.io/v1", "spec": {"forProvider": {}}},
	}})) == set()
}

pod(selector) := object.union(fixtures.of_manifest({"kind": "Pod", "metadata": {"labels": {"data-residency": "eu"}}, "spec": {"nodeSelector": selector}}), {})

# Harm: every workload of a cluster in the right place needs approval, since only its cluster says so.
test_pods_are_where_their_cluster_is if {
	said(pod({})) == set()
	said(pod({"topology.kubernetes.io/region": "eu-west-1"})) == set()
	said(pod({"topology.kubernetes.io/zone": "us-east-1a"})) == away
	said(pod({"topology.kubernetes.io/region": "{{ region }}"})) == unknown
}

moved(proposed) := object.union(bucket(proposed, {"residency": "eu"}), {"proposal": {
	"field": "region",
	"current": "eu-west-1",
	"proposed": proposed,
	"saving_per_month": {"low": "1", "mid": "1", "high": "1", "currency": "USD"},
}})

# Harm: a machine is moved abroad since it is cheaper there.
test_changes if {
	said(moved("us-east-1")) == away
	said(moved("eu-north-1")) == set()
	said(object.union(moved("us-east-1"), {"proposal": {"field": "size", "proposed": "small"}})) == {["location.residency", "needs_approval"]}
	said_with(object.union(moved("us-east-1"), {"resource": {"labels": {"residency": "us"}}}), {"within": ["eu-.*"]}) == outside
}

evaluable_with(changes) if {
	regions.evaluable with input as bucket("", {})
		with data.limits.location.defaults as object.union(data.limits.location.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({})
	evaluable_with({"decision": "needs_approval"})
	not evaluable_with({"decision": "allow"})
	not evaluable_with({"within": {}})
	not evaluable_with({"residency_keys": {}})
	not evaluable_with({"class_keys": {}})
	not evaluable_with({"global_kinds": {}})
	not evaluable_with({"classes": []})
	not evaluable_with({"classes": {"personal": "eu"}})
	evaluable_with({"within": ["eu-.*"]})
	not regions.evaluable with input as bucket("", {}) with data.limits.location.defaults.places as []
}

test_records_tell_where_it_may_be if {
	some record in regions.results with input as bucket("us-east-1", {"residency": "eu uk"})
	record.actual == "us-east-1"
	record.limit == "data stays in eu or uk"
}

test_records_tell_what_is_unknown if {
	told := {record.actual |
		some record in regions.results with input as bucket("var.region", {"residency": "atlantis"})
	}
	told == {"a region that reads var.region", "a label that names no known place: atlantis"}
	none := {record.actual | some record in regions.results with input as bucket([], {"residency": "eu"})}
	none == {"no region is declared"}
}
