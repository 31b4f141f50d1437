package finops.tests.cloud

import rego.v1

import data.finops.lib.cloud

attributes(kind, manifest) := value if {
	value := cloud.attributes with input as {"resource": {"kind": kind, "manifest": manifest}}
}

test_attributes_of_each_tool if {
	attributes("EBSVolume", {"apiVersion": "ec2.aws.upbound.io/v1", "spec": {"forProvider": {"a": 1}}}) == {"a": 1}
	attributes("AWS::EC2::Volume", {"Type": "AWS::EC2::Volume", "Properties": {"a": 1}}) == {"a": 1}
	attributes("aws_ebs_volume", {"a": 1}) == {"a": 1}
	attributes("aws_ebs_volume", {"kind": "aws_ebs_volume", "spec": {"a": 1}}).a == 1
	every group in ["rds.services.k8s.aws", "storage.cnrm.cloud.google.com", "sql.azure.com", "ec2.aws.upbound.io", "x.crossplane.io"] {
		attributes("Thing", {"apiVersion": sprintf("%s/v1", [group]), "spec": {"a": 1}}) == {"a": 1}
	}
}

test_no_attributes_of_what_no_cloud_keeps if {
	not attributes("Deployment", {"apiVersion": "apps/v1", "spec": {"a": 1}})
	not attributes("Pod", {"apiVersion": "v1", "spec": {"region": "x"}})
}

named(kind, version) := value if {
	value := cloud.kind_name with input as {"resource": {"kind": kind, "manifest": {"apiVersion": version}}}
}

test_names_of_kinds if {
	named("aws_ebs_volume", "terraform") == "aws_ebs_volume"
	named("AWS::EC2::Volume", "AWS::CloudFormation") == "AWS::EC2::Volume"
	named("Volume", "ec2.aws.upbound.io/v1beta1") == "ec2/Volume"
	not named("Volume", "v1")
}

test_paths_and_fields_in_one_spelling if {
	cloud.plain_path(["root_block_device", 0, "Encrypted"]) == "rootblockdevice.encrypted"
	every field in [
		"root_block_device[0].encrypted",
		"/rootBlockDevice/0/encrypted",
		"RootBlockDevice.Encrypted",
	] {
		cloud.plain_field == "rootblockdevice.encrypted" with input as {"proposal": {"field": field}}
	}
	not cloud.plain_field with input as {"proposal": {"field": 7}}
}

test_regions_in_one_spelling if {
	cloud.region_of("eu-west-1b") == "eu-west-1"
	cloud.region_of("us-gov-west-1a") == "us-gov-west-1"
	cloud.region_of("us-east-1-bos-1a") == "us-east-1"
	cloud.region_of("europe-west1-b") == "europe-west1"
	cloud.region_of("westeurope-2") == "westeurope"
	cloud.region_of(" West Europe ") == "westeurope"
	cloud.region_of("EU") == "eu"
	cloud.region_of("eu-central-1") == "eu-central-1"
	cloud.region_of("eastus2") == "eastus2"
	cloud.region_of("europe-west12") == "europe-west12"
}

test_what_is_no_region if {
	every place in ["var.region", "${local.region}", "", "a b!", "-"] {
		not cloud.region_of(place)
	}
	not cloud.region_of({"Ref": "AWS::Region"})
	not cloud.region_of(1)
}

placed(document) := value if {
	value := cloud.regions with input as document
}

test_places_wherever_they_are_named if {
	placed({"resource": {"kind": "aws_x", "manifest": {"availability_zone": "eu-west-1a"}}}) == {"eu-west-1"}
	placed({"resource": {"kind": "aws_x", "manifest": {"availability_zones": ["eu-west-1a", "eu-west-3b"]}}}) == {"eu-west-1", "eu-west-3"}
	every spec in [
		{"template": {"spec": {"nodeSelector": {"topology.kubernetes.io/zone": "eu-west-1a"}}}},
		{"nodeAffinity": {"matchExpressions": [{"key": "topology.kubernetes.io/region", "operator": "In", "values": ["eu-west-1"]}]}},
		{"matchLabelExpressions": [{"key": "topology.kubernetes.io/region", "values": ["eu-west-1"]}]},
		{"matchLabels": {"failure-domain.beta.kubernetes.io/region": "eu-west-1"}},
	] {
		placed({"resource": {"kind": "Pod", "manifest": {"spec": spec}}}) == {"eu-west-1"}
	}
	placed({"resource": {"kind": "aws_x", "manifest": {}, "region": "eu-west-1"}}) == {"eu-west-1"}
	placed({"resource": {"kind": "aws_x", "manifest": {}}, "context": {"region": "eu-west-1"}}) == {"eu-west-1"}
}

test_what_names_no_place if {
	placed({"resource": {"kind": "aws_x", "manifest": {"regional": "eu-west-1"}, "region": 7}, "context": {"region": ""}}) == set()
	every spec in [
		{"labels": {"topology.kubernetes.io/zone": "eu-west-1a"}},
		{"nodeSelector": {"topology.kubernetes.io/zone": ["eu-west-1a"]}},
		{"matchExpressions": [{"key": "topology.kubernetes.io/region", "operator": "NotIn", "values": ["eu-west-1"]}]},
	] {
		placed({"resource": {"kind": "Pod", "manifest": {"spec": spec}}}) == set()
	}
}

test_places_that_cannot_be_read if {
	places := cloud.unreadable_places with input as {"resource": {"kind": "aws_x", "manifest": {"region": "var.region", "zone": "eu-west-1a"}}}
	places == {"var.region"}
}

test_whole_text_has_to_match if {
	cloud.matches(["eu-.*", "x"], "eu-west-1")
	not cloud.matches(["eu"], "eu-west-1")
	not cloud.matches([], "eu-west-1")
}
