"""What texts of real bills are told to be used: descriptions of exports, usage types and meters."""

from __future__ import annotations

from pathlib import Path

from tests.dbt.landing import Estate, charge

AWS, AZURE, GCP, OCI = "AWS", "Microsoft", "Google Cloud", "Oracle"
TEXTS: dict[tuple[str, str], dict[str, str | None]] = {
    (AWS, "Amazon Virtual Private Cloud"): {
        "$0.005 per Idle public IPv4 address per hour": "idle_address",
        "$0.005 per In-use public IPv4 address per hour": "used_address",
    },
    (AWS, "AmazonEC2"): {
        "USE2-ElasticIP:IdleAddress": "idle_address",
        "EUN1-EBS:SnapshotUsage": "snapshot",
        "EBS:VolumeUsage.gp3": "volume",
        "EBS:VolumeP-IOPS.gp3": "volume_performance",
        "USW2-NatGateway-Hours": "gateway_hours",
        "USW2-NatGateway-Bytes": "gateway_use",
        "USW2-BoxUsage:m5.large": "instance_hours",
    },
    (AWS, "AmazonVPC"): {
        "EUC1-PublicIPv4:IdleAddress": "idle_address",
    },
    (AWS, "Amazon Elastic Compute Cloud"): {
        "$0.05 per GB-Month of snapshot data stored - US West (Oregon)": "snapshot",
        "$0.08 per GB-month of General Purpose (gp3) provisioned "
        "storage - US West (Oregon)": "volume",
        "$0.045 per NAT Gateway Hour": "gateway_hours",
        "$0.045 per GB Data Processed by NAT Gateways": "gateway_use",
        "$0.0112 per On Demand Linux t3.micro Instance Hour": "instance_hours",
        "$0.00 for 175 Mbps per t3a.small instance-hour (or partial hour)": "instance_extra",
    },
    (AWS, "Elastic Load Balancing"): {
        "$0.0225 per Application LoadBalancer-hour (or partial hour)": "load_balancer_hours",
        "$0.008 per used Application load balancer capacity "
        "unit-hour (or partial hour)": "load_balancer_use",
        "$0.090 per GB - first 10 TB / month data transfer out "
        "beyond the global free tier": "data_transfer",
    },
    (AWS, "AWSELB"): {
        "USE1-LCUUsage": "load_balancer_use",
        "USE1-LoadBalancerUsage": "load_balancer_hours",
        "USE1-DataProcessing-Bytes": "load_balancer_use",
    },
    (AWS, "Amazon Relational Database Service"): {
        "USD 0.023 per db.t3.micro Single-AZ instance hour (or "
        "partial hour) running SQL Server Exp (LI)": "database_hours",
        "$0.115 per GB-month of provisioned gp2 storage running PostgreSQL": "database_storage",
        "$0.10 per GB-month of consumed storage (Aurora PostgreSQL)": "database_storage",
    },
    (AWS, "AmazonRDS"): {
        "RDS:ChargedBackupUsage": "database_backup",
        "Storage": "database_storage",
        "USW2-RDS:Multi-AZ-GP3-Storage": "database_storage",
    },
    (AWS, "Amazon Elastic Container Service for Kubernetes"): {
        "Amazon EKS cluster usage in US East (Ohio)": "cluster_hours",
    },
    (AWS, "AmazonEKS"): {
        "USE1-AmazonEKS-Hours:perCluster": "cluster_hours",
    },
    (AWS, "AmazonCloudWatch"): {
        "$0.03 per GB-mo of log storage - US West (Oregon)": "log_storage",
        "$0.50 per GB custom log data ingested in Standard log class "
        "- US East (Ohio)": "log_ingestion",
        "USW2-TimedStorage-ByteHrs": "log_storage",
        "USW2-DataProcessing-Bytes": "log_ingestion",
    },
    (AWS, "AmazonS3"): {
        "EU-TimedStorage-ByteHrs": "object_storage_standard",
        "EU-TimedStorage-SIA-ByteHrs": "object_storage_infrequent",
        "TimedStorage-GlacierByteHrs": "object_storage_archive",
        "EU-Requests-Tier1": "object_requests",
    },
    (AWS, "Amazon Simple Storage Service"): {
        "$0.023 per GB - first 50 TB / month of storage used": "object_storage_standard",
        "$0.0125 per GB-Month of storage used in Standard-Infrequent "
        "Access": "object_storage_infrequent",
        "$0.004 per 10,000 GET and all other requests": "object_requests",
    },
    (AWS, "Amazon EC2 Container Registry (ECR)"): {
        "USD 0.1 per GB-Mo for TimedStorage-ByteHrs in EU (Stockholm)": None,
    },
    (AWS, "AWS Lambda"): {
        "AWS Lambda - Total Compute - US West (Oregon)-Tier-1": "serverless_compute",
        "USW2-Lambda-GB-Second": "serverless_compute",
        "GB-Seconds": "serverless_compute",
        "USW2-Lambda-Provisioned-Concurrency": "serverless_provisioned",
        "AWS Lambda - Total Requests - US East (Ohio)": "serverless_requests",
    },
    (AWS, "AmazonSageMaker"): {
        "USE1-Host:ml.g5.xlarge": "endpoint_hours",
    },
    (AZURE, "Virtual Network"): {
        "IP Addresses - Standard IPv4 Static Public IP": "address",
    },
    (AZURE, "Virtual Machines"): {
        "Premium SSD Managed Disks - P4 LRS - US East": "volume",
        "Virtual Machines Dv2/DSv2 Series - D11 v2/DS11 v2 - US East 2": "instance_hours",
    },
    (AZURE, "Storage"): {
        "P10 LRS Disk": "volume",
        "S4 LRS Disk Operations": "volume_performance",
        "LRS Snapshots": "snapshot",
        "Cool LRS Data Stored": "object_storage_infrequent",
    },
    (AZURE, "Load Balancer"): {
        "Standard Included LB Rules and Outbound Rules": "load_balancer_hours",
        "Standard Data Processed": "load_balancer_use",
    },
    (AZURE, "NAT Gateway"): {
        "Standard Gateway": "gateway_hours",
        "Standard Data Processed": "gateway_use",
    },
    (AZURE, "Azure Kubernetes Service"): {
        "Standard Uptime SLA": "cluster_hours",
    },
    (AZURE, "Log Analytics"): {
        "Analytics Logs Data Ingestion": "log_ingestion",
        "Analytics Logs Data Retention": "log_storage",
    },
    (AZURE, "Storage Accounts"): {
        "Tiered Block Blob - Hot LRS - Data Stored - US West": "object_storage_standard",
        "Tiered Block Blob - Cool LRS - Data Stored - US West": "object_storage_infrequent",
        "Tiered Block Blob - Archive LRS - Data Stored - US West": "object_storage_archive",
        "Tiered Block Blob - Hot LRS - Write Operations - US West": "object_requests",
        "Files - Hot LRS Data Stored": "file_storage",
        "Tables - LRS Data Stored": None,
    },
    (AZURE, "Azure DB for MySQL"): {
        "Azure Database for MySQL Single Server General Purpose - "
        "Storage - Data Stored - US East": "database_storage",
    },
    (GCP, "Compute Engine"): {
        "Static Ip Charge": "idle_address",
        "External IP Charge on a Standard VM": "used_address",
        "Storage PD Snapshot": "snapshot",
        "Storage PD Capacity": "volume",
        "E2 Instance Ram running in Americas": "instance_hours",
        "Licensing Fee for Debian 10 Buster (RAM cost)": "licence",
        "Network Internet Data Transfer Out from Americas to EMEA": "data_transfer",
    },
    (GCP, "Networking"): {
        "Cloud Load Balancer Forwarding Rule Minimum Service Charge "
        "in Americas": "load_balancer_hours",
        "Network Load Balancing: Data Processing Charge in Americas": "load_balancer_use",
        "Networking Cloud Nat Gateway Uptime": "gateway_hours",
        "Networking Cloud Nat Data Processing": "gateway_use",
    },
    (GCP, "Kubernetes Engine"): {
        "Zonal Kubernetes Clusters": "cluster_hours",
    },
    (GCP, "Cloud SQL"): {
        "Cloud SQL for MySQL: Zonal - vCPU in Americas": "database_hours",
        "Cloud SQL for MySQL: Zonal - Standard storage in Americas": "database_storage",
    },
    (GCP, "Cloud Logging"): {
        "Log Storage cost": "log_ingestion",
        "Log Retention cost": "log_storage",
    },
    (GCP, "Cloud Storage"): {
        "Standard Storage US Regional": "object_storage_standard",
        "Nearline Storage Iowa": "object_storage_infrequent",
        "Nearline Storage Iowa (Early Delete)": "object_early_deletion",
        "Regional Standard Class A Operations": "object_requests",
    },
    (OCI, "BLOCK_STORAGE"): {
        "Block Volume - Performance Units": "volume_performance",
    },
    (OCI, "COMPUTE"): {
        "Standard - E5": "instance_hours",
    },
    (OCI, "NETWORK"): {
        "Outbound Data Transfer Zone 1": "data_transfer",
    },
}
"""(provider, service) -> description or meter, as real exports spell them -> usage kind."""


def test_texts_of_bills_say_what_is_used(tmp_path: Path) -> None:
    """A used address taken for an idle one would be proposed to be released."""
    told = [(*whose, text, kind) for whose, texts in TEXTS.items() for text, kind in texts.items()]
    estate = Estate(tmp_path)
    rows = [
        charge(
            number, "2026-01-05", "1", sku_id=str(number), provider_name=provider,
            service_name=service, charge_description=text,
        )
        for number, (provider, service, text, _) in enumerate(told)
    ]  # fmt: skip
    estate.deliver("charges", "2026-01-01", "one", "2026-01-06T00:00", rows)
    built = estate.dbt(
        "build", "--select", "+dim_skus", "--exclude-resource-type", "unit_test", "test"
    )
    assert built.exit_code == 0, built.output
    found = dict(estate.query("select sku_id, usage_kind from dim_skus"))
    wrong = {
        (text, kind): found[str(number)]
        for number, (_, _, text, kind) in enumerate(told)
        if found[str(number)] != kind
    }
    assert wrong == {}
