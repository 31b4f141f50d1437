"""What the company buys from its clouds beside pods: machines, databases, buckets and services.

What exactly is bought is listed in meters; prices are 1e-6 currency units a unit.
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
    """A virtual machine; `cluster` is the monitoring that it reports to."""

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
    exporter: bool = False
    """Whether a node exporter runs on it."""


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


def plain(
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


def machine_meter(machine: Machine, service: Service) -> Meter:
    """The hours of a virtual machine."""
    key, hours = f"vm-{machine.name}", f"{machine.type} hours"
    meter = plain(key, machine.account, machine.team, service, hours, "Hours", machine.price, 24.0)
    return replace(
        meter,
        season=machine.season,
        growth=0.0,
        resource=machine.name,
        resource_type="Virtual Machine",
        commitment=machine.commitment,
        declared=machine.declared,
        detail=machine.type,
        anomalous=False,
    )


def fleet(
    name: str, account: str, team: str, service: Service, types: tuple[tuple[str, int, float], ...]
) -> tuple[Meter, ...]:
    """Machine hours of a fleet that comes and goes, by (type, price, hours a day)."""
    return tuple(
        replace(
            plain(f"fleet-{name}-{type_}", account, team, service, f"{type_} hours", "Hours",
                  price, hours, "hours", 0.0),
            detail=type_,
            anomalous=False,
        )
        for type_, price, hours in types
    )  # fmt: skip


def database(
    name: str,
    account: str,
    team: str,
    service: Service,
    tier: str,
    price: int,
    storage_gib: float,
    storage_price: int,
    commitment: str | None = None,
    declared: str = "terraform",
) -> tuple[Meter, ...]:
    """Hours and storage of a managed database."""
    key, gb = f"db-{name}", storage_gib / 30.4
    hours = plain(key, account, team, service, f"{tier} hours", "Hours", price, 24.0, "hours")
    hours = replace(hours, commitment=commitment, anomalous=False)
    stored = plain(f"{key}-storage", account, team, service, "Storage", "GB-Months",
                   storage_price, gb, "flat", 0.30, 0.004)  # fmt: skip
    return tuple(
        replace(one, resource=name, resource_type="Database", declared=declared, detail=tier)
        for one in (hours, stored)
    )


def bucket(
    name: str, account: str, team: str, service: Service, price: int, tib: float, growth: float
) -> tuple[Meter, ...]:
    """Storage and requests of a bucket."""
    key, gb = f"bucket-{name}", tib * 1024 / 30.4
    stored = plain(key, account, team, service, "Standard storage", "GB-Months", price, gb,
                   "flat", growth, 0.004)  # fmt: skip
    asked = plain(f"{key}-requests", account, team, service, "Requests", "10K Requests", 50000,
                  tib * 6, "office", growth, 0.08)  # fmt: skip
    return tuple(
        replace(one, resource=name, resource_type="Bucket", declared="terraform")
        for one in (stored, asked)
    )


def function(
    name: str, account: str, team: str, service: Service, memory_mib: int, daily_thousands: float
) -> tuple[Meter, ...]:
    """GB-seconds and requests of a function; half a second a call."""
    key, gb_seconds = f"fn-{name}", daily_thousands * memory_mib / 1024 * 0.5
    # The published 0.0000166667 a GB-second and 0.20 a million requests.
    ran = plain(key, account, team, service, "GB-Seconds", "1K GB-Seconds", 16667, gb_seconds,
                "web", 0.2, 0.09)  # fmt: skip
    asked = plain(f"{key}-requests", account, team, service, "Requests", "1M Requests", 200000,
                  daily_thousands / 1000, "web", 0.2, 0.09)  # fmt: skip
    detail = str(memory_mib)
    return tuple(
        replace(one, resource=name, resource_type="Function", declared="serverless", detail=detail)
        for one in (ran, asked)
    )


def tokens(
    key: str,
    account: str,
    team: str,
    service: Service,
    model: str,
    types: tuple[tuple[str, int, float], ...],
) -> tuple[Meter, ...]:
    """Tokens of a language model, by (type, price of a million, millions a day)."""
    return tuple(
        replace(
            plain(f"{key}-{type_.replace(' ', '-')}", account, team, service,
                  f"{model} {type_} tokens", "1M Tokens", price, millions, "office", 0.3),
            anomalous=False,
        )
        for type_, price, millions in types
    )  # fmt: skip
