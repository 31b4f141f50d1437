"""Who the company is: business units, teams, providers, accounts, clusters and their prices.

What it runs is in catalogue and cloud, not here. Unit prices are integers of 1e-6 currency units.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Team:
    """A team, the unit it belongs to and the cost centre that pays for it."""

    name: str
    business_unit: str
    cost_center: str


TEAMS: dict[str, Team] = {
    team.name: team
    for team in (
        Team("storefront", "retail", "CC-1100"),
        Team("search", "retail", "CC-1110"),
        Team("pricing", "retail", "CC-1120"),
        Team("checkout", "retail", "CC-1130"),
        Team("ledger", "payments", "CC-2100"),
        Team("fraud", "payments", "CC-2110"),
        Team("payouts", "payments", "CC-2120"),
        Team("routing", "logistics", "CC-3100"),
        Team("warehouse", "logistics", "CC-3110"),
        Team("tracking", "logistics", "CC-3120"),
        Team("data-platform", "technology", "CC-4100"),
        Team("ml-platform", "technology", "CC-4110"),
        Team("vision", "technology", "CC-4120"),
        Team("analytics", "technology", "CC-4130"),
        Team("platform-sre", "technology", "CC-4140"),
    )
}


@dataclass(frozen=True)
class Provider:
    """A cloud provider and how it bills. `discount_permille` is the negotiated discount."""

    key: str
    """Folder of its export and source name."""
    name: str
    billing_account_id: str
    billing_account_name: str
    billing_account_type: str
    sub_account_type: str
    currency: str
    invoice_issuer: str
    discount_permille: int
    tax_permille: int
    tag_style: str
    """lower: team, environment; title: Team, Environment, as people in each account write."""


PROVIDERS: dict[str, Provider] = {
    provider.key: provider
    for provider in (
        Provider(
            "aws",
            "AWS",
            "100200300400",
            "Halden Group payer",
            "Billing Account",
            "Linked Account",
            "USD",
            "Amazon Web Services EMEA SARL",
            60,
            0,
            "lower",
        ),
        Provider(
            "azure",
            "Microsoft",
            "EA-7741220",
            "Halden Payments BV enrolment",
            "Billing Account",
            "Subscription",
            "EUR",
            "Microsoft Ireland Operations Ltd",
            85,
            210,
            "title",
        ),
        Provider(
            "gcp",
            "Google Cloud",
            "01AB2C-3D4E5F-67890A",
            "Halden Logistics and Technology",
            "Billing Account",
            "Project",
            "USD",
            "Google Cloud EMEA Ltd",
            45,
            0,
            "lower",
        ),
    )
}


@dataclass(frozen=True)
class Account:
    """A linked account, subscription or project."""

    key: str
    provider: str
    id: str
    name: str


ACCOUNTS: dict[str, Account] = {
    account.key: account
    for account in (
        Account("aws-retail", "aws", "210000000011", "retail-prod"),
        Account("aws-shared", "aws", "210000000012", "shared-services"),
        Account("aws-dev", "aws", "210000000013", "engineering-dev"),
        Account("azure-pay", "azure", "/subscriptions/5b0c1f52-77aa-4c1e", "payments-prod"),
        Account("azure-pay-dev", "azure", "/subscriptions/90e4d7a1-2f5b-4d60", "payments-dev"),
        Account("gcp-logistics", "gcp", "halden-logistics", "halden-logistics"),
        Account("gcp-ml", "gcp", "halden-ml", "halden-ml"),
        Account("gcp-data", "gcp", "halden-data", "halden-data"),
    )
}


@dataclass(frozen=True)
class Pool:
    """Machines of one type that run a cluster's pods."""

    name: str
    type: str
    count: int
    cores: int
    memory_gib: int
    price: int
    """List price of a machine-hour, 1e-6 currency units."""
    gpus: int = 0
    """Of each machine."""
    reserved_millis: int = 90
    """Millicores kept for the system: of 8 cores, by the bootstrap of EKS's machine images
    (awslabs/amazon-eks-ami: 6 % of the first, 1 % of the second, 0.5 % of the next two, then
    0.25 %)."""
    reserved_mib: int = 993
    """Memory kept for it: 255 MiB, 11 MiB for each of 58 pods, and 100 MiB before eviction."""


@dataclass(frozen=True)
class Cluster:
    """A Kubernetes cluster. Its pods are billed one by one by its cloud, or its `pools` are."""

    name: str
    account: str
    region: str
    service: str
    cpu_price: int
    """List price of a vCPU-hour, 1e-6 currency units."""
    memory_price: int
    """List price of a GiB-hour, 1e-6 currency units."""
    storage_price: int
    """List price of a GiB-month of volume, 1e-6 currency units."""
    pools: tuple[Pool, ...] = ()

    @property
    def provider(self) -> Provider:
        return PROVIDERS[ACCOUNTS[self.account].provider]


CLUSTERS: dict[str, Cluster] = {
    cluster.name: cluster
    for cluster in (
        # AWS Fargate, published Linux/x86 prices of eu-west-1 and us-east-1.
        Cluster(
            "eks-shop-1", "aws-retail", "eu-west-1", "Amazon EKS on Fargate", 40480, 4445, 88000
        ),
        Cluster("eks-dev-1", "aws-dev", "us-east-1", "Amazon EKS on Fargate", 40480, 4445, 80000),
        # Azure Container Instances behind virtual nodes, in euros.
        Cluster(
            "aks-pay-1", "azure-pay", "westeurope", "Azure Kubernetes Service", 42500, 4660, 95000
        ),
        Cluster(
            "aks-dev-1",
            "azure-pay-dev",
            "westeurope",
            "Azure Kubernetes Service",
            42500,
            4660,
            95000,
        ),
        # GKE Autopilot general purpose pods.
        Cluster(
            "gke-log-1",
            "gcp-logistics",
            "europe-west4",
            "Google Kubernetes Engine",
            49000,
            5420,
            88000,
        ),
        Cluster(
            "gke-ml-1", "gcp-ml", "us-central1", "Google Kubernetes Engine", 44500, 4923, 80000
        ),
        # EC2 machines; a core and a GiB at what they come to of m6i.
        Cluster(
            "eks-shared-1",
            "aws-shared",
            "eu-west-1",
            "Amazon Elastic Kubernetes Service",
            43200,
            2560,
            88000,
            (
                Pool("general", "m6i.2xlarge", 2, 8, 32, 428000),
                Pool("gpu", "g6.2xlarge", 2, 8, 32, 1086000, gpus=1),
            ),
        ),
    )
}

GPU_PRICES: dict[str, int] = {
    "nvidia-tesla-t4": 410_000,
    "nvidia-l4": 870_000,
    "nvidia-tesla-a100": 3_520_000,
}
"""List price of a GPU-hour on the ML cluster, 1e-6 USD: the order of published on-demand prices."""

GPU_WATTS: dict[str, tuple[float, float, float]] = {
    "nvidia-tesla-t4": (13.0, 70.0, 15360.0),
    "nvidia-l4": (16.0, 72.0, 23034.0),
    "nvidia-tesla-a100": (52.0, 400.0, 40960.0),
}
"""Idle watts, board power limit and MiB of memory (NVIDIA's data sheets: 70, 72, 400 W)."""

REGION_NAMES: dict[str, str] = {
    "eu-west-1": "Europe (Ireland)",
    "us-east-1": "US East (N. Virginia)",
    "westeurope": "West Europe",
    "europe-west4": "Netherlands",
    "us-central1": "Iowa",
}


def tags_of(
    style: str, team: str, environment: str, *, only: frozenset[str] | None = None
) -> dict[str, str]:
    """Ownership tags as an account writes them; `only` keeps the dimensions named."""
    owner = TEAMS[team]
    values = {
        "team": team,
        "environment": environment,
        "business_unit": owner.business_unit,
        "cost_center": owner.cost_center,
    }
    title = {
        "team": "Team",
        "environment": "Environment",
        "business_unit": "Business-Unit",
        "cost_center": "CostCenter",
    }
    return {
        (title[key] if style == "title" else key): value
        for key, value in values.items()
        if only is None or key in only
    }
