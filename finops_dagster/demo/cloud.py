"""What the company buys from its clouds beside pods: machines, databases, buckets and services.

How much of each is consumed on a day is in consumption; prices are 1e-6 currency units a unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

ALL_TAGS = frozenset({"team", "environment", "business_unit", "cost_center"})
NO_TAGS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Service:
    """A provider's service by its FOCUS names."""

    name: str
    category: str
    subcategory: str


@dataclass(frozen=True)
class Meter:
    """One thing metered: who owns it, what a unit costs, how much is used on a plain day."""

    key: str
    account: str
    team: str
    environment: str
    region: str
    service: Service
    meter: str
    unit: str
    price: int
    per_day: float
    season: str = "flat"
    growth: float = 0.15
    noise: float = 0.05
    resource: str | None = None
    resource_type: str | None = None
    age_days: int = 1000
    tags: frozenset[str] = ALL_TAGS
    commitment: str | None = None
    """Key of the commitment that pays for it."""
    declared: str | None = None
    """terraform, crossplane or serverless, where the repository declares the resource."""
    detail: str = ""
    """Instance type, tier or class, for the declaration."""
    anomalous: bool = True
    """Whether an anomaly may be hidden in it."""


@dataclass(frozen=True)
class Machine:
    """A virtual machine that runs a node exporter; `cluster` is the monitoring it reports to."""

    name: str
    account: str
    team: str
    region: str
    cluster: str
    type: str
    cores: int
    memory_gib: int
    price: int
    season: str = "hours"
    commitment: str | None = None
    declared: str = "terraform"
    environment: str = "prod"


MACHINES: tuple[Machine, ...] = (
    Machine(
        "search-etl",
        "aws-retail",
        "search",
        "eu-west-1",
        "eks-shop-1",
        "m6i.2xlarge",
        8,
        32,
        428000,
        commitment="compute-plan",
    ),
    Machine(
        "erp-bridge",
        "aws-retail",
        "checkout",
        "eu-west-1",
        "eks-shop-1",
        "r6i.xlarge",
        4,
        32,
        282000,
        commitment="compute-plan",
    ),
    Machine(
        "build-runner",
        "aws-shared",
        "platform-sre",
        "eu-west-1",
        "eks-shop-1",
        "c6i.4xlarge",
        16,
        32,
        768000,
        season="workdays",
        commitment="compute-plan",
    ),
    Machine(
        "edge-cache",
        "aws-retail",
        "storefront",
        "eu-west-1",
        "eks-shop-1",
        "m6i.large",
        2,
        8,
        107000,
        declared="crossplane",
    ),
    Machine(
        "hsm-proxy",
        "azure-pay",
        "ledger",
        "westeurope",
        "aks-pay-1",
        "Standard_D4s_v5",
        4,
        16,
        212000,
    ),
    Machine(
        "geo-tiles",
        "gcp-logistics",
        "routing",
        "europe-west4",
        "gke-log-1",
        "n2-standard-8",
        8,
        32,
        427000,
    ),
    Machine(
        "label-studio",
        "gcp-ml",
        "vision",
        "us-central1",
        "gke-ml-1",
        "n2-standard-4",
        4,
        16,
        194000,
        declared="crossplane",
    ),
)

_EC2 = Service("Amazon Elastic Compute Cloud", "Compute", "Virtual Machines")
_RDS = Service("Amazon Relational Database Service", "Databases", "Relational Databases")
_S3 = Service("Amazon Simple Storage Service", "Storage", "Object Storage")
_VPC = Service("Amazon Virtual Private Cloud", "Networking", "Network Infrastructure")
_TRANSFER = Service("AWS Data Transfer", "Networking", "Network Connectivity")
_ELB = Service("Elastic Load Balancing", "Networking", "Network Routing")
_LOGS = Service("AmazonCloudWatch", "Management and Governance", "Observability")
_LAMBDA = Service("AWS Lambda", "Compute", "Serverless Compute")
_DYNAMO = Service("Amazon DynamoDB", "Databases", "NoSQL Databases")
_SQS = Service("Amazon Simple Queue Service", "Integration", "Messaging")
_EBS = Service("Amazon Elastic Block Store", "Storage", "Block Storage")
_BEDROCK = Service("Amazon Bedrock", "AI and Machine Learning", "Generative AI")
_AVM = Service("Virtual Machines", "Compute", "Virtual Machines")
_ASQL = Service("Azure SQL Database", "Databases", "Relational Databases")
_BLOB = Service("Azure Blob Storage", "Storage", "Object Storage")
_BAND = Service("Bandwidth", "Networking", "Network Connectivity")
_ALOG = Service("Azure Monitor", "Management and Governance", "Observability")
_BUS = Service("Service Bus", "Integration", "Messaging")
_HUB = Service("Event Hubs", "Analytics", "Streaming Analytics")
_FUNC = Service("Azure Functions", "Compute", "Serverless Compute")
_GCE = Service("Compute Engine", "Compute", "Virtual Machines")
_GSQL = Service("Cloud SQL", "Databases", "Relational Databases")
_GCS = Service("Cloud Storage", "Storage", "Object Storage")
_BQ = Service("BigQuery", "Analytics", "Analytics Platforms")
_PUBSUB = Service("Cloud Pub/Sub", "Integration", "Messaging")
_GNET = Service("Networking", "Networking", "Network Connectivity")
_GLOG = Service("Cloud Logging", "Management and Governance", "Observability")
_VERTEX = Service("Vertex AI", "AI and Machine Learning", "AI Platforms")
_FLOW = Service("Cloud Dataflow", "Analytics", "Data Processing")
_MAPS = Service("Maps API", "Web", "Application Platforms")

_VM_SERVICE = {"aws": _EC2, "azure": _AVM, "gcp": _GCE}
_REGION = {
    "aws-retail": "eu-west-1",
    "aws-shared": "eu-west-1",
    "aws-dev": "us-east-1",
    "azure-pay": "westeurope",
    "azure-pay-dev": "westeurope",
    "gcp-logistics": "europe-west4",
    "gcp-ml": "us-central1",
    "gcp-data": "us-central1",
}


def _meter(
    key: str,
    account: str,
    team: str,
    service: Service,
    meter: str,
    unit: str,
    price: int,
    per_day: float,
    season: str = "flat",
    growth: float = 0.15,
    noise: float = 0.05,
) -> Meter:
    """A meter in its account's region; development accounts are development."""
    return Meter(
        key=key,
        account=account,
        team=team,
        environment="dev" if account.endswith("dev") else "prod",
        region=_REGION[account],
        service=service,
        meter=meter,
        unit=unit,
        price=price,
        per_day=per_day,
        season=season,
        growth=growth,
        noise=noise,
    )


def _machine(machine: Machine) -> Meter:
    service = _VM_SERVICE[machine.account.split("-")[0]]
    return replace(
        _meter(
            f"vm-{machine.name}",
            machine.account,
            machine.team,
            service,
            f"{machine.type} hours",
            "Hours",
            machine.price,
            24.0,
            machine.season,
            0.0,
            0.0,
        ),
        resource=machine.name,
        resource_type="Virtual Machine",
        commitment=machine.commitment,
        declared=machine.declared,
        detail=machine.type,
        environment=machine.environment,
        anomalous=False,
    )


def _database(
    name: str,
    account: str,
    team: str,
    service: Service,
    tier: str,
    price: int,
    storage_gib: float,
    storage_price: int,
    commitment: str | None = None,
) -> tuple[Meter, ...]:
    common = {
        "resource": name,
        "resource_type": "Database",
        "declared": "crossplane" if name == "tracking-db" else "terraform",
        "detail": tier,
    }
    return (
        replace(
            _meter(
                f"db-{name}",
                account,
                team,
                service,
                f"{tier} hours",
                "Hours",
                price,
                24.0,
                "hours",
                0.0,
                0.0,
            ),
            commitment=commitment,
            anomalous=False,
            **common,  # type: ignore[arg-type]
        ),
        replace(
            _meter(
                f"db-{name}-storage",
                account,
                team,
                service,
                "Storage",
                "GB-Months",
                storage_price,
                storage_gib / 30.4,
                "flat",
                0.30,
                0.004,
            ),
            **common,  # type: ignore[arg-type]
        ),
    )


def _bucket(
    name: str, account: str, team: str, service: Service, price: int, tib: float, growth: float
) -> tuple[Meter, ...]:
    common = {"resource": name, "resource_type": "Bucket", "declared": "terraform"}
    return (
        replace(
            _meter(
                f"bucket-{name}",
                account,
                team,
                service,
                "Standard storage",
                "GB-Months",
                price,
                tib * 1024 / 30.4,
                "flat",
                growth,
                0.004,
            ),
            **common,  # type: ignore[arg-type]
        ),
        replace(
            _meter(
                f"bucket-{name}-requests",
                account,
                team,
                service,
                "Requests",
                "10K Requests",
                50000,
                tib * 60,
                "office",
                growth,
                0.08,
            ),
            **common,  # type: ignore[arg-type]
        ),
    )


def _function(
    name: str, account: str, team: str, service: Service, memory_mib: int, daily_thousands: float
) -> tuple[Meter, ...]:
    # GB-seconds in thousands at the published 0.0166667 a thousand; half a second a call.
    gb_seconds = daily_thousands * memory_mib / 1024 * 0.5
    common = {
        "resource": name,
        "resource_type": "Function",
        "declared": "serverless",
        "detail": str(memory_mib),
    }
    return (
        replace(
            _meter(
                f"fn-{name}",
                account,
                team,
                service,
                "GB-Seconds",
                "1K GB-Seconds",
                16667,
                gb_seconds,
                "web",
                0.2,
                0.09,
            ),
            **common,  # type: ignore[arg-type]
        ),
        replace(
            _meter(
                f"fn-{name}-requests",
                account,
                team,
                service,
                "Requests",
                "1M Requests",
                200000,
                daily_thousands / 1000,
                "web",
                0.2,
                0.09,
            ),
            **common,  # type: ignore[arg-type]
        ),
    )


METERS: tuple[Meter, ...] = (
    *(_machine(machine) for machine in MACHINES),
    # AWS, in dollars.
    *_database(
        "storefront-db", "aws-retail", "storefront", _RDS, "db.r6g.xlarge", 522000, 500, 127000
    ),
    *_database(
        "checkout-db", "aws-retail", "checkout", _RDS, "db.r6g.2xlarge", 1044000, 800, 127000
    ),
    *_database("pricing-db", "aws-retail", "pricing", _RDS, "db.t4g.large", 142000, 200, 127000),
    *_database("feature-test-db", "aws-dev", "search", _RDS, "db.t4g.medium", 65000, 100, 115000),
    *_bucket("storefront-assets", "aws-retail", "storefront", _S3, 23000, 42, 0.25),
    *_bucket("checkout-receipts", "aws-retail", "checkout", _S3, 23000, 18, 0.35),
    *_bucket("search-index-dumps", "aws-retail", "search", _S3, 23000, 26, 0.10),
    *_bucket("shared-logs", "aws-shared", "platform-sre", _S3, 23000, 64, 0.30),
    _meter(
        "nat-retail-hours",
        "aws-retail",
        "platform-sre",
        _VPC,
        "NAT gateway hours",
        "Hours",
        48000,
        72.0,
        "hours",
        0.0,
        0.0,
    ),
    _meter(
        "nat-retail-data",
        "aws-retail",
        "platform-sre",
        _VPC,
        "NAT gateway data",
        "GB",
        48000,
        820.0,
        "web",
    ),
    _meter(
        "nat-shared-data",
        "aws-shared",
        "platform-sre",
        _VPC,
        "NAT gateway data",
        "GB",
        48000,
        310.0,
        "office",
    ),
    _meter(
        "transfer-storefront",
        "aws-retail",
        "storefront",
        _TRANSFER,
        "Data transfer out",
        "GB",
        90000,
        640.0,
        "web",
    ),
    _meter(
        "transfer-checkout",
        "aws-retail",
        "checkout",
        _TRANSFER,
        "Data transfer out",
        "GB",
        90000,
        210.0,
        "web",
    ),
    _meter(
        "elb-storefront",
        "aws-retail",
        "storefront",
        _ELB,
        "LCU-hours",
        "LCU-Hours",
        8400,
        1450.0,
        "web",
    ),
    _meter(
        "elb-checkout", "aws-retail", "checkout", _ELB, "LCU-hours", "LCU-Hours", 8400, 900.0, "web"
    ),
    _meter(
        "logs-storefront",
        "aws-retail",
        "storefront",
        _LOGS,
        "Log ingestion",
        "GB",
        570000,
        46.0,
        "web",
        0.2,
        0.07,
    ),
    _meter(
        "logs-search",
        "aws-retail",
        "search",
        _LOGS,
        "Log ingestion",
        "GB",
        570000,
        38.0,
        "web",
        0.2,
        0.07,
    ),
    _meter(
        "logs-checkout",
        "aws-retail",
        "checkout",
        _LOGS,
        "Log ingestion",
        "GB",
        570000,
        29.0,
        "web",
        0.2,
        0.07,
    ),
    _meter(
        "metrics-shared",
        "aws-shared",
        "platform-sre",
        _LOGS,
        "Custom metrics",
        "Metric-Months",
        300000,
        96.0,
        "flat",
        0.3,
        0.02,
    ),
    *_function("thumbnailer", "aws-retail", "storefront", _LAMBDA, 1536, 2600),
    *_function("price-import", "aws-retail", "pricing", _LAMBDA, 3008, 420),
    *_function("cart-cleaner", "aws-retail", "checkout", _LAMBDA, 512, 900),
    _meter(
        "dynamo-checkout",
        "aws-retail",
        "checkout",
        _DYNAMO,
        "Write request units",
        "1M Requests",
        1410000,
        22.0,
        "web",
    ),
    _meter(
        "dynamo-pricing",
        "aws-retail",
        "pricing",
        _DYNAMO,
        "Read request units",
        "1M Requests",
        280000,
        88.0,
        "web",
    ),
    _meter(
        "sqs-checkout",
        "aws-retail",
        "checkout",
        _SQS,
        "Requests",
        "1M Requests",
        400000,
        45.0,
        "web",
    ),
    _meter(
        "sqs-storefront",
        "aws-retail",
        "storefront",
        _SQS,
        "Requests",
        "1M Requests",
        400000,
        28.0,
        "web",
    ),
    replace(
        _meter(
            "ebs-snapshots",
            "aws-dev",
            "platform-sre",
            _EBS,
            "Snapshot storage",
            "GB-Months",
            50000,
            210.0,
            "flat",
            0.55,
            0.01,
        ),
        tags=NO_TAGS,
    ),
    replace(
        _meter(
            "dev-sandbox",
            "aws-dev",
            "platform-sre",
            _EC2,
            "t3.2xlarge hours",
            "Hours",
            332800,
            46.0,
            "office",
            0.0,
            0.12,
        ),
        tags=NO_TAGS,
    ),
    replace(
        _meter(
            "dev-transfer",
            "aws-dev",
            "platform-sre",
            _TRANSFER,
            "Data transfer out",
            "GB",
            90000,
            60.0,
            "office",
            0.1,
            0.10,
        ),
        tags=frozenset({"environment"}),
    ),
    # Azure, in euros.
    *_database(
        "ledger-sql",
        "azure-pay",
        "ledger",
        _ASQL,
        "BC_Gen5_8",
        2610000,
        900,
        230000,
        "sql-reservation",
    ),
    *_database("payouts-sql", "azure-pay", "payouts", _ASQL, "GP_Gen5_4", 712000, 400, 115000),
    *_database("fraud-sql", "azure-pay", "fraud", _ASQL, "GP_Gen5_2", 356000, 250, 115000),
    *_bucket("ledgerarchive", "azure-pay", "ledger", _BLOB, 18000, 55, 0.40),
    *_bucket("fraudmodels", "azure-pay", "fraud", _BLOB, 18000, 12, 0.20),
    _meter(
        "bandwidth-ledger",
        "azure-pay",
        "ledger",
        _BAND,
        "Data transfer out",
        "GB",
        80000,
        260.0,
        "office",
    ),
    _meter(
        "monitor-ledger",
        "azure-pay",
        "ledger",
        _ALOG,
        "Log ingestion",
        "GB",
        2520000,
        16.0,
        "office",
        0.15,
        0.06,
    ),
    _meter(
        "monitor-fraud",
        "azure-pay",
        "fraud",
        _ALOG,
        "Log ingestion",
        "GB",
        2520000,
        11.0,
        "web",
        0.15,
        0.06,
    ),
    _meter(
        "bus-payouts",
        "azure-pay",
        "payouts",
        _BUS,
        "Messaging operations",
        "1M Operations",
        740000,
        26.0,
        "monthend",
    ),
    _meter(
        "hub-fraud",
        "azure-pay",
        "fraud",
        _HUB,
        "Throughput unit hours",
        "Hours",
        27600,
        480.0,
        "web",
        0.2,
        0.03,
    ),
    *_function("payout-notify", "azure-pay", "payouts", _FUNC, 1024, 700),
    replace(
        _meter(
            "pay-dev-vm",
            "azure-pay-dev",
            "payouts",
            _AVM,
            "D2s v5 hours",
            "Hours",
            106000,
            62.0,
            "office",
            0.0,
            0.10,
        ),
        tags=frozenset({"team", "environment"}),
    ),
    # Google Cloud, in dollars.
    *_database(
        "warehouse-db",
        "gcp-logistics",
        "warehouse",
        _GSQL,
        "db-custom-8-32768",
        548000,
        600,
        187000,
    ),
    *_database(
        "tracking-db", "gcp-logistics", "tracking", _GSQL, "db-custom-4-16384", 274000, 450, 187000
    ),
    *_bucket("tracking-events", "gcp-logistics", "tracking", _GCS, 20000, 38, 0.45),
    *_bucket("vision-images", "gcp-ml", "vision", _GCS, 20000, 70, 0.30),
    *_bucket("ml-artifacts", "gcp-ml", "ml-platform", _GCS, 20000, 24, 0.35),
    _meter(
        "pubsub-tracking",
        "gcp-logistics",
        "tracking",
        _PUBSUB,
        "Message delivery",
        "TiB",
        40000000,
        0.9,
        "web",
    ),
    _meter(
        "egress-routing",
        "gcp-logistics",
        "routing",
        _GNET,
        "Internet egress",
        "GB",
        85000,
        330.0,
        "office",
    ),
    _meter(
        "maps-routing",
        "gcp-logistics",
        "routing",
        _MAPS,
        "Route requests",
        "1K Requests",
        4000000,
        22.0,
        "office",
    ),
    _meter(
        "logging-warehouse",
        "gcp-logistics",
        "warehouse",
        _GLOG,
        "Log volume",
        "GB",
        500000,
        34.0,
        "office",
        0.15,
        0.07,
    ),
    _meter(
        "bq-analytics",
        "gcp-data",
        "analytics",
        _BQ,
        "Analysis",
        "TiB",
        6250000,
        11.0,
        "monthend",
        0.35,
        0.10,
    ),
    _meter(
        "bq-data-platform",
        "gcp-data",
        "data-platform",
        _BQ,
        "Analysis",
        "TiB",
        6250000,
        7.5,
        "office",
        0.35,
        0.10,
    ),
    _meter(
        "bq-storage",
        "gcp-data",
        "data-platform",
        _BQ,
        "Active storage",
        "GB-Months",
        20000,
        2600.0,
        "flat",
        0.40,
        0.003,
    ),
    _meter(
        "dataflow-data",
        "gcp-data",
        "data-platform",
        _FLOW,
        "vCPU time",
        "vCPU-Hours",
        56000,
        780.0,
        "monthend",
        0.2,
        0.06,
    ),
    _meter(
        "vertex-training",
        "gcp-ml",
        "ml-platform",
        _VERTEX,
        "Training hours",
        "Hours",
        2480000,
        18.0,
        "office",
        0.25,
        0.12,
    ),
    replace(
        _meter(
            "ml-egress",
            "gcp-ml",
            "ml-platform",
            _GNET,
            "Internet egress",
            "GB",
            85000,
            95.0,
            "office",
            0.1,
            0.08,
        ),
        tags=NO_TAGS,
    ),
)

NEW_SERVICE = replace(
    _meter(
        "bedrock",
        "aws-retail",
        "storefront",
        _BEDROCK,
        "Output tokens",
        "1M Tokens",
        15000000,
        6.5,
        "web",
        0.0,
        0.10,
    ),
    tags=NO_TAGS,
)
"""Bought by nobody's plan: its first day is drawn by seed."""
