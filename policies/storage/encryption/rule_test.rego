package finops.tests.storage.encryption

import rego.v1

import data.finops.rules.storage.encryption
import data.finops.tests.fixtures

document(kind, version, manifest) := {
	"environment": "",
	"resource": {
		"kind": kind,
		"labels": {},
		"annotations": {},
		"manifest": object.union({"apiVersion": version, "kind": kind}, manifest),
	},
	"context": {},
}

of_terraform(kind, attributes) := {
	"environment": "",
	"resource": {"kind": kind, "labels": {}, "annotations": {}, "manifest": attributes},
	"context": {},
}

said(given) := value if {
	value := fixtures.said(encryption.results) with input as given
}

denied := {["storage.encryption", "deny"]}

unknown := {["storage.encryption_unknown", "needs_approval"]}

# Each kind of limits/data.yaml: what says yes, what says no, and what holds where nothing is said.
flagged := [
	[["aws_ebs_volume", "AWS::EC2::Volume", "ec2/Volume", "ec2/EBSVolume"], ["encrypted"], "no"],
	[["aws_ebs_snapshot_copy", "ec2/EBSSnapshotCopy"], ["encrypted"], "no"],
	[["aws_ebs_encryption_by_default", "ec2/EBSEncryptionByDefault"], ["enabled"], "yes"],
	[["aws_db_instance", "AWS::RDS::DBInstance", "rds/Instance", "rds/DBInstance", "database/RDSInstance"], ["storage_encrypted"], "no"],
	[
		[
			"aws_rds_cluster", "aws_rds_global_cluster", "aws_docdb_cluster", "aws_neptune_cluster",
			"AWS::RDS::DBCluster", "AWS::DocDB::DBCluster", "AWS::Neptune::DBCluster",
			"rds/Cluster", "rds/DBCluster", "docdb/Cluster", "docdb/DBCluster", "neptune/Cluster",
		],
		["storage_encrypted"], "no",
	],
	[["aws_efs_file_system", "AWS::EFS::FileSystem", "efs/FileSystem"], ["encrypted"], "no"],
	[
		["aws_elasticache_replication_group", "AWS::ElastiCache::ReplicationGroup", "elasticache/ReplicationGroup"],
		["at_rest_encryption_enabled"], "no",
	],
	[
		[
			"aws_elasticsearch_domain", "aws_opensearch_domain", "AWS::Elasticsearch::Domain",
			"AWS::OpenSearchService::Domain", "elasticsearch/Domain", "opensearch/Domain", "opensearchservice/Domain",
		],
		["encrypt_at_rest", "enabled"], "no",
	],
	[["aws_opensearch_domain"], ["EncryptionAtRestOptions", "Enabled"], "no"],
	[["aws_dax_cluster", "AWS::DAX::Cluster", "dax/Cluster"], ["server_side_encryption", "enabled"], "no"],
	[["aws_dax_cluster"], ["SSESpecification", "SSEEnabled"], "no"],
	[["aws_redshift_cluster", "AWS::Redshift::Cluster", "redshift/Cluster"], ["encrypted"], "yes"],
	[["aws_sqs_queue", "AWS::SQS::Queue", "sqs/Queue"], ["sqs_managed_sse_enabled"], "yes"],
	[["azurerm_mssql_database", "sql/MSSQLDatabase"], ["transparent_data_encryption_enabled"], "yes"],
	[["azurerm_storage_account", "storage/Account", "storage/StorageAccount"], ["enable_blob_encryption"], "yes"],
	[["azurerm_storage_account"], ["enable_file_encryption"], "yes"],
	[["azurerm_storage_account"], ["encryption", "services", "blob", "enabled"], "yes"],
	[["azurerm_storage_account"], ["encryption", "services", "file", "enabled"], "yes"],
	[["aws_kinesis_stream", "AWS::Kinesis::Stream", "kinesis/Stream"], ["encryption_type"], "no"],
	[["aws_kinesis_stream"], ["StreamEncryption", "EncryptionType"], "no"],
]

declared(name, attributes) := document(parts[1], sprintf("%s.aws.upbound.io/v1", [parts[0]]), {"spec": {"forProvider": attributes}}) if {
	parts := split(name, "/")
	count(parts) == 2
}

declared(name, attributes) := document(name, "", {"Type": name, "Properties": attributes}) if contains(name, "::")

declared(name, attributes) := of_terraform(name, attributes) if contains(name, "_")

nested(path, value) := {path[0]: value} if count(path) == 1

nested(path, value) := {path[0]: [{path[1]: value}]} if count(path) == 2

nested(path, value) := {path[0]: {path[1]: {path[2]: {path[3]: value}}}} if count(path) == 4

test_each_kind_says_yes_or_no if {
	every row in flagged {
		every name in row[0] {
			said(declared(name, nested(row[1], true))) == set()
			said(declared(name, nested(row[1], false))) == denied
		}
	}
}

test_words_for_yes_and_no if {
	every yes in ["true", "Enabled", "KMS", "on", "yes"] {
		said(of_terraform("aws_kinesis_stream", {"encryption_type": yes})) == set()
	}
	every no in ["False", "NONE", "Disabled", "off", "no", ""] {
		said(of_terraform("aws_kinesis_stream", {"encryption_type": no})) == denied
	}
	every reference in ["var.encrypted", {"Ref": "Encrypted"}] {
		said(of_terraform("aws_kinesis_stream", {"encryption_type": reference})) == unknown
	}
}

# Harm: a volume that nobody encrypted passes, or a bucket that its provider encrypts is refused.
test_each_kind_that_says_nothing if {
	every row in flagged {
		every name in row[0] {
			silence := said(declared(name, {"size": 1}))
			silence == {"yes": set(), "no": denied}[row[2]]
		}
	}
}

inherited := {
	"aws_ebs_volume": ["snapshot_id"],
	"aws_ebs_snapshot_copy": ["source_snapshot_id"],
	"aws_db_instance": ["snapshot_identifier", "DBSnapshotIdentifier", "replicate_source_db", "SourceDBInstanceIdentifier", "DBClusterIdentifier"],
	"aws_rds_cluster": ["snapshot_identifier", "replication_source_identifier", "SourceDBClusterIdentifier", "global_cluster_identifier"],
	"aws_elasticache_replication_group": ["snapshot_name", "global_replication_group_id"],
}

# Harm: a copy of something encrypted is refused, or of something unencrypted allowed unseen.
test_what_is_made_from_another_is_not_known if {
	every kind, names in inherited {
		every name in names {
			said(of_terraform(kind, {name: "x"})) == unknown
			said(of_terraform(kind, {name: ""})) == denied
			said(of_terraform(kind, {name: null})) == denied
		}
	}
	said(of_terraform("aws_db_instance", {"restore_to_point_in_time": {"source_db_instance_identifier": "x"}})) == unknown
	said(of_terraform("aws_rds_cluster", {"restore_to_point_in_time": [{"source_cluster_identifier": "x"}]})) == unknown
}

# Redshift is encrypted unless said otherwise, but not where it comes out of a snapshot that is not.
test_snapshots_of_what_is_encrypted_by_default if {
	every name in ["snapshot_identifier", "SnapshotArn"] {
		said(of_terraform("aws_redshift_cluster", {name: "x"})) == unknown
	}
}

test_a_key_is_encryption if {
	said(of_terraform("aws_sqs_queue", {"sqs_managed_sse_enabled": false, "kms_master_key_id": "alias/a"})) == set()
	said(of_terraform("aws_sqs_queue", {"sqs_managed_sse_enabled": false, "kms_master_key_id": ""})) == denied
	said(of_terraform("aws_sqs_queue", {"sqs_managed_sse_enabled": false, "kms_master_key_id": null})) == denied
	said(of_terraform("aws_kinesis_stream", {"kms_key_id": {"Ref": "Key"}})) == set()
	said(of_terraform("aws_kinesis_stream", {"StreamEncryption": {"KeyId": "alias/a"}})) == set()
}

machines := [
	"aws_instance", "aws_launch_template", "aws_launch_configuration",
	"AWS::EC2::Instance", "AWS::EC2::LaunchTemplate", "ec2/Instance", "ec2/LaunchTemplate",
]

disks(disk) := [
	{"root_block_device": disk},
	{"ebs_block_device": [{"encrypted": true}, disk]},
	{"BlockDeviceMappings": [{"DeviceName": "a", "Ebs": disk}]},
	{"LaunchTemplateData": {"BlockDeviceMappings": [{"Ebs": disk}]}},
]

test_each_disk_of_a_machine if {
	every kind in machines {
		every attributes in disks({"encrypted": false}) {
			said(declared(kind, attributes)) == denied
		}
		every attributes in disks({"volume_size": 8}) {
			said(declared(kind, attributes)) == denied
		}
		every attributes in disks({"Encrypted": "true"}) {
			said(declared(kind, attributes)) == set()
		}
		every attributes in disks({"snapshot_id": "snap-1"}) {
			said(declared(kind, attributes)) == unknown
		}
		# The image and the account decide for disks that nobody declares.
		said(declared(kind, {"instance_type": "m5.large"})) == set()
	}
}

class(provisioner, parameters) := document("StorageClass", "storage.k8s.io/v1", {
	"provisioner": provisioner,
	"parameters": parameters,
})

test_classes_of_volumes if {
	every provisioner in ["ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com", "kubernetes.io/aws-ebs"] {
		said(class(provisioner, {"type": "gp3"})) == denied
		said(class(provisioner, {"encrypted": "false"})) == denied
		said(class(provisioner, {"encrypted": "true"})) == set()
	}
	said(class("pd.csi.storage.gke.io", {"type": "pd-ssd"})) == set()
	said(class("disk.csi.azure.com", null)) == set()
}

test_kinds_that_cannot_be_unencrypted if {
	said(of_terraform("aws_s3_bucket", {"bucket": "a"})) == set()
	said(of_terraform("google_storage_bucket", {"name": "a"})) == set()
	said(document("Instance", "compute.gcp.upbound.io/v1", {"spec": {"forProvider": {}}})) == set()
	said(document("Volume", "v1", {"spec": {"encrypted": false}})) == set()
}

of_change(field, current, proposed, attributes) := fixtures.of_proposal({
	"resource": {"kind": "aws_db_instance", "manifest": attributes, "labels": {}},
	"proposal": {"field": field, "current": current, "proposed": proposed},
})

# Harm: a change that saves money is refused for a fault it does not make, or turns encryption off.
test_changes if {
	said(of_change("instance_class", "db.m5.large", "db.m5.medium", {"instance_class": "db.m5.medium"})) == {["storage.encryption", "needs_approval"]}
	said(of_change("storage_encrypted", "true", "false", {"storage_encrypted": false})) == denied
	said(of_change("/storage_encrypted", "true", "", {})) == denied
}

evaluable_with(limit) if {
	encryption.evaluable with data.limits.encryption as {"defaults": limit}
		with input as of_terraform("aws_ebs_volume", {})
}

row := {"kinds": [], "said_by": [], "unsaid": "encrypted"}

test_evaluable_with_its_limits if {
	encryption.evaluable with input as of_terraform("aws_ebs_volume", {})
	evaluable_with({"decision": "needs_approval", "storage": [row]})
	not evaluable_with({"decision": "ignore", "storage": [row]})
	not evaluable_with({"decision": "deny"})
	not evaluable_with({"decision": "deny", "storage": [object.union(row, {"kinds": "aws_ebs_volume"})]})
	not evaluable_with({"decision": "deny", "storage": [object.union(row, {"said_by": "a"})]})
	not evaluable_with({"decision": "deny", "storage": [object.union(row, {"unsaid": true})]})
}

test_records_tell_what_would_do if {
	some record in encryption.results with input as of_terraform("aws_sqs_queue", {"sqs_managed_sse_enabled": false})
	record.actual == "aws_sqs_queue is not encrypted"
	record.limit == "encryption by sqsmanagedsseenabled or kmsmasterkeyid"
}
