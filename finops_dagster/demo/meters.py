"""The list of what the company buys from its clouds: one meter a line or two.

What the columns mean is said in cloud, what a day consumes in consumption.
"""

from __future__ import annotations

from dataclasses import replace

from finops_dagster.demo.cloud import (
    NO_TAGS,
    Machine,
    Meter,
    Service,
    bucket,
    database,
    fleet,
    function,
    machine_meter,
    plain,
    tokens,
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

# A table is read by its columns: it is kept as it is laid out.
# fmt: off
MACHINES: tuple[Machine, ...] = (
    Machine("search-etl", "aws-retail", "search", "eu-west-1", "eks-shop-1", "m6i.2xlarge", 8, 32,
            428000, commitment="compute-plan", exporter=True),
    Machine("erp-bridge", "aws-retail", "checkout", "eu-west-1", "eks-shop-1", "r6i.xlarge", 4, 32,
            282000, commitment="compute-plan"),
    Machine("build-runner", "aws-shared", "platform-sre", "eu-west-1", "eks-shop-1", "c6i.4xlarge",
            16, 32, 768000, season="workdays", commitment="compute-plan"),
    Machine("edge-cache", "aws-retail", "storefront", "eu-west-1", "eks-shop-1", "m6i.large", 2, 8,
            107000, declared="crossplane", exporter=True),
    Machine("hsm-proxy", "azure-pay", "ledger", "westeurope", "aks-pay-1", "Standard_D4s_v5", 4, 16,
            212000, exporter=True),
    Machine("geo-tiles", "gcp-logistics", "routing", "europe-west4", "gke-log-1", "n2-standard-8",
            8, 32, 427000, exporter=True),
    Machine("label-studio", "gcp-ml", "vision", "us-central1", "gke-ml-1", "n2-standard-4", 4, 16,
            194000, declared="crossplane"),
)

METERS: tuple[Meter, ...] = (
    *(machine_meter(m, {"aws": _EC2, "azure": _AVM, "gcp": _GCE}[m.account.split("-")[0]])
      for m in MACHINES),
    # AWS, in dollars.
    *fleet("reindex", "aws-retail", "search", _EC2, (("m5.4xlarge", 856000, 96.0),
           ("m6g.4xlarge", 688000, 48.0))),
    *database("storefront-db", "aws-retail", "storefront", _RDS, "db.r6g.xlarge", 522000, 500,
              127000),
    *database("checkout-db", "aws-retail", "checkout", _RDS, "db.r6g.2xlarge", 1044000, 800,
              127000),
    *database("pricing-db", "aws-retail", "pricing", _RDS, "db.t4g.large", 142000, 200, 127000),
    *database("feature-test-db", "aws-dev", "search", _RDS, "db.t4g.medium", 65000, 100, 115000),
    *bucket("storefront-assets", "aws-retail", "storefront", _S3, 23000, 42, 0.25),
    *bucket("checkout-receipts", "aws-retail", "checkout", _S3, 23000, 18, 0.35),
    *bucket("search-index-dumps", "aws-retail", "search", _S3, 23000, 26, 0.10),
    *bucket("shared-logs", "aws-shared", "platform-sre", _S3, 23000, 64, 0.30),
    plain("nat-retail-hours", "aws-retail", "platform-sre", _VPC, "NAT gateway hours", "Hours",
          48000, 72.0, "hours"),
    plain("nat-retail-data", "aws-retail", "platform-sre", _VPC, "NAT gateway data", "GB", 48000,
          820.0, "web"),
    plain("nat-shared-data", "aws-shared", "platform-sre", _VPC, "NAT gateway data", "GB", 48000,
          310.0, "office"),
    plain("transfer-storefront", "aws-retail", "storefront", _TRANSFER, "Data transfer out", "GB",
          90000, 640.0, "web"),
    plain("transfer-checkout", "aws-retail", "checkout", _TRANSFER, "Data transfer out", "GB",
          90000, 210.0, "web"),
    plain("elb-storefront", "aws-retail", "storefront", _ELB, "LCU-hours", "LCU-Hours", 8400,
          1450.0, "web"),
    plain("elb-checkout", "aws-retail", "checkout", _ELB, "LCU-hours", "LCU-Hours", 8400, 900.0,
          "web"),
    plain("logs-storefront", "aws-retail", "storefront", _LOGS, "Log ingestion", "GB", 570000,
          46.0, "web", 0.2, 0.07),
    plain("logs-search", "aws-retail", "search", _LOGS, "Log ingestion", "GB", 570000, 38.0, "web",
          0.2, 0.07),
    plain("logs-checkout", "aws-retail", "checkout", _LOGS, "Log ingestion", "GB", 570000, 29.0,
          "web", 0.2, 0.07),
    plain("metrics-shared", "aws-shared", "platform-sre", _LOGS, "Custom metrics",
          "Metric-Months", 300000, 96.0, "flat", 0.3, 0.02),
    *function("thumbnailer", "aws-retail", "storefront", _LAMBDA, 1536, 2600),
    *function("price-import", "aws-retail", "pricing", _LAMBDA, 3008, 420),
    *function("cart-cleaner", "aws-retail", "checkout", _LAMBDA, 512, 900),
    plain("dynamo-checkout", "aws-retail", "checkout", _DYNAMO, "Write request units",
          "1M Requests", 1410000, 22.0, "web"),
    plain("dynamo-pricing", "aws-retail", "pricing", _DYNAMO, "Read request units", "1M Requests",
          280000, 88.0, "web"),
    plain("sqs-checkout", "aws-retail", "checkout", _SQS, "Requests", "1M Requests", 400000, 45.0,
          "web"),
    plain("sqs-storefront", "aws-retail", "storefront", _SQS, "Requests", "1M Requests", 400000,
          28.0, "web"),
    replace(plain("ebs-snapshots", "aws-dev", "platform-sre", _EBS, "Snapshot storage",
                  "GB-Months", 50000, 210.0, "flat", 0.55, 0.01), tags=NO_TAGS),
    replace(plain("dev-sandbox", "aws-dev", "platform-sre", _EC2, "t3.2xlarge hours", "Hours",
                  332800, 46.0, "office", 0.0, 0.12), tags=NO_TAGS),
    replace(plain("dev-transfer", "aws-dev", "platform-sre", _TRANSFER, "Data transfer out", "GB",
                  90000, 60.0, "office", 0.1, 0.10), tags=frozenset({"environment"})),
    # Azure, in euros.
    *database("ledger-sql", "azure-pay", "ledger", _ASQL, "BC_Gen5_8", 2610000, 900, 230000,
              "sql-reservation"),
    *database("payouts-sql", "azure-pay", "payouts", _ASQL, "GP_Gen5_4", 712000, 400, 115000),
    *database("fraud-sql", "azure-pay", "fraud", _ASQL, "GP_Gen5_2", 356000, 250, 115000),
    *bucket("ledgerarchive", "azure-pay", "ledger", _BLOB, 18000, 55, 0.40),
    *bucket("fraudmodels", "azure-pay", "fraud", _BLOB, 18000, 12, 0.20),
    plain("bandwidth-ledger", "azure-pay", "ledger", _BAND, "Data transfer out", "GB", 80000,
          260.0, "office"),
    plain("monitor-ledger", "azure-pay", "ledger", _ALOG, "Log ingestion", "GB", 2520000, 16.0,
          "office", 0.15, 0.06),
    plain("monitor-fraud", "azure-pay", "fraud", _ALOG, "Log ingestion", "GB", 2520000, 11.0,
          "web", 0.15, 0.06),
    plain("bus-payouts", "azure-pay", "payouts", _BUS, "Messaging operations", "1M Operations",
          740000, 26.0, "monthend"),
    plain("hub-fraud", "azure-pay", "fraud", _HUB, "Throughput unit hours", "Hours", 27600, 480.0,
          "web", 0.2, 0.03),
    *function("payout-notify", "azure-pay", "payouts", _FUNC, 1024, 700),
    replace(plain("pay-dev-vm", "azure-pay-dev", "payouts", _AVM, "D2s v5 hours", "Hours", 106000,
                  62.0, "office", 0.0, 0.10), tags=frozenset({"team", "environment"})),
    # Google Cloud, in dollars.
    *database("warehouse-db", "gcp-logistics", "warehouse", _GSQL, "db-custom-8-32768", 548000, 600,
              187000),
    *database("tracking-db", "gcp-logistics", "tracking", _GSQL, "db-custom-4-16384", 274000, 450,
              187000, declared="crossplane"),
    *bucket("tracking-events", "gcp-logistics", "tracking", _GCS, 20000, 38, 0.45),
    *bucket("vision-images", "gcp-ml", "vision", _GCS, 20000, 70, 0.30),
    *bucket("ml-artifacts", "gcp-ml", "ml-platform", _GCS, 20000, 24, 0.35),
    plain("pubsub-tracking", "gcp-logistics", "tracking", _PUBSUB, "Message delivery", "TiB",
          40000000, 0.9, "web"),
    plain("egress-routing", "gcp-logistics", "routing", _GNET, "Internet egress", "GB", 85000,
          330.0, "office"),
    plain("maps-routing", "gcp-logistics", "routing", _MAPS, "Route requests", "1K Requests",
          4000000, 22.0, "office"),
    plain("logging-warehouse", "gcp-logistics", "warehouse", _GLOG, "Log volume", "GB", 500000,
          34.0, "office", 0.15, 0.07),
    plain("bq-analytics", "gcp-data", "analytics", _BQ, "Analysis", "TiB", 6250000, 11.0,
          "monthend", 0.35, 0.10),
    plain("bq-data-platform", "gcp-data", "data-platform", _BQ, "Analysis", "TiB", 6250000, 7.5,
          "office", 0.35, 0.10),
    plain("bq-storage", "gcp-data", "data-platform", _BQ, "Active storage", "GB-Months", 20000,
          2600.0, "flat", 0.40, 0.003),
    plain("dataflow-data", "gcp-data", "data-platform", _FLOW, "vCPU time", "vCPU-Hours", 56000,
          780.0, "monthend", 0.2, 0.06),
    plain("vertex-training", "gcp-ml", "ml-platform", _VERTEX, "Training hours", "Hours", 2480000,
          18.0, "office", 0.25, 0.12),
    *tokens("gemini", "gcp-data", "analytics", _VERTEX, "Gemini 2.5 Flash",
            (("input", 300000, 96.0), ("cached input", 30000, 41.0), ("output", 2500000, 11.5))),
    replace(plain("ml-egress", "gcp-ml", "ml-platform", _GNET, "Internet egress", "GB", 85000,
                  95.0, "office", 0.1, 0.08), tags=NO_TAGS),
)

NEW_SERVICE = replace(
    plain("bedrock", "aws-retail", "storefront", _BEDROCK, "Output tokens", "1M Tokens", 15000000,
          6.5, "web", 0.0, 0.10),
    tags=NO_TAGS,
)
"""Bought by nobody's plan: its first day is drawn by seed."""
# fmt: on
