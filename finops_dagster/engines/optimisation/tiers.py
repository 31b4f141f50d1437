"""Objects that hardly anybody reads, kept at the price of those that everybody does.

What is not told by the bill, how large objects are and how old, is said in `wrong_if`.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import NamedTuple

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.bills import OTHER, Bill, stored
from finops_dagster.engines.optimisation.inputs import take
from finops_dagster.engines.optimisation.prices import times

TIER_DAYS = 30
"""S3 Standard-IA, Azure cool and Nearline all bill at least 30 days of each object."""
REQUESTS_PER_GB = 0.1
"""Of a month and GB stored. Were each to read a whole GB, a tenth of the data would be retrieved:
at the retrieval fees below that costs a tenth of what the tier saves, and is taken off."""
LEAST_GB = 100
"""Less saves under a unit of money a month at the list prices below, the least that nOps tells of,
and moving small objects costs as much."""
SHRINKS = 0.98
"""A bucket that loses more is deleted from, and would pay for 30 days of what is deleted."""
STANDARD, INFREQUENT = "object_storage_standard", "object_storage_infrequent"
_MANAGED = (INFREQUENT, "object_storage_archive", "object_storage_automatic")


class Tier(NamedTuple):
    """What a provider's tier for seldom read data costs, as a share of a standard GB-month."""

    name: str
    ratio: float
    """Of list prices of storage."""
    retrieval: float
    """Fee for a GB read."""
    source: str
    rule: dict[str, object]
    """Its lifecycle rule, as the provider takes it."""


TIERS = {
    "aws": Tier(
        "S3 Standard-IA", 0.0125 / 0.023, 0.01 / 0.023,
        "Amazon S3 pricing, US East (N. Virginia)",
        {
            "Rules": [
                {
                    "ID": "infrequent-access-after-30-days",
                    "Status": "Enabled",
                    "Filter": {"ObjectSizeGreaterThan": 131072},
                    "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
                }
            ]
        },
    ),
    "azure": Tier(
        "the cool tier", 0.01 / 0.018, 0.01 / 0.018,
        "Azure Blob Storage pricing, East US, LRS",
        {
            "rules": [
                {
                    "name": "cool-after-30-days",
                    "enabled": True,
                    "type": "Lifecycle",
                    "definition": {
                        "filters": {"blobTypes": ["blockBlob"]},
                        "actions": {
                            "baseBlob": {"tierToCool": {"daysAfterModificationGreaterThan": 30}}
                        },
                    },
                }
            ]
        },
    ),
    "gcp": Tier(
        "Nearline", 0.01 / 0.02, 0.01 / 0.02,
        "Cloud Storage pricing, us-central1",
        {
            "lifecycle": {
                "rule": [
                    {
                        "action": {"type": "SetStorageClass", "storageClass": "NEARLINE"},
                        "condition": {"age": 30, "matchesStorageClass": ["STANDARD"]},
                    }
                ]
            }
        },
    ),
}  # fmt: skip


def provider_of(name: str) -> str:
    """aws, azure or gcp for a FOCUS ProviderName; empty for any other."""
    text = name.lower()
    words = {"aws": ("aws", "amazon"), "azure": ("microsoft", "azure"), "gcp": ("gcp", "google")}
    return next((key for key, of in words.items() if any(word in text for word in of)), "")


def seldom_read(bill: Bill) -> tuple[list[Finding], list[Abstained]]:
    """STORAGE_TIER for buckets all of which is standard storage that hardly anybody asks for.

    Storage of another tier in a bucket is the work of a rule: it is right as it is.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    untold: dict[str, int] = defaultdict(int)
    told = {
        (bill.whose[one].provider, bill.whose[one].account)
        for one in bill.resources("object_requests")
    }
    for resource in bill.resources(STANDARD):
        whose = bill.whose[resource]
        tier = TIERS.get(provider_of(whose.provider))
        kinds = bill.kinds(resource)
        if tier is None or kinds & set(_MANAGED) or not bill.still(resource, STANDARD):
            continue
        if (whose.provider, whose.account) not in told:
            untold[whose.account] += 1
            continue
        judged = _seldom(bill, resource, tier)
        take(judged, findings, abstained)
    for account, count in sorted(untold.items()):
        reason = (
            f"{count} billed for storage, and no request of any in the account: use is not told"
        )
        abstained.append(Abstained(subject=f"buckets of {account}", reason=reason))
    return findings, abstained


def _seldom(bill: Bill, resource: str, tier: Tier) -> Finding | Abstained | None:
    days = bill.days(resource, TIER_DAYS)
    amounts = bill.quantity(resource, STANDARD)
    held = stored(amounts.loc[amounts.index.isin(days)], bill.unit(resource, STANDARD))
    if len(days) < TIER_DAYS or (held is not None and len(held) < TIER_DAYS - 2):
        return None
    requests = bill.used(resource, ["object_requests"], days) * _count(
        bill.unit(resource, "object_requests")
    )
    if held is None or held.isna().any() or math.isnan(requests):
        reason = "how much is stored and how often it is asked for is not told"
        return Abstained(subject=resource, reason=reason)
    # the newest days are often not complete
    whole = held.iloc[:-2]
    size = float(whole.mean())
    per_gb = requests / size if size > 0 else math.inf
    moved = bill.used(resource, ["data_transfer", "object_retrieval", OTHER], days)
    if size < LEAST_GB or per_gb > REQUESTS_PER_GB:
        return None
    if whole.iloc[-7:].mean() < SHRINKS * whole.iloc[:7].mean():
        return None
    if math.isnan(moved) or moved > REQUESTS_PER_GB * size:
        return None
    cost = bill.cost(resource, (STANDARD,))
    if isinstance(cost, Abstained) or cost is None:
        return cost
    seen = _price_ratio(bill, resource)
    ratio = tier.ratio if seen is None else seen
    fee = tier.retrieval * (requests + moved) / size
    share = 1 - ratio - fee
    if share <= 0:
        return None
    told = (
        "at the price that the bill has for that tier in the region"
        if seen is not None
        else f"by the ratio of list prices ({tier.source})"
    )
    return bill.finding(
        FindingKind.STORAGE_TIER, resource, saving=times(cost, share), days=days,
        samples=len(held), rule="storage tier rule",
        figures={
            "stored_gb": size,
            "requests_per_gb": per_gb,
            "price_ratio": ratio,
            "retrieval_fee_share": fee,
        },
        reason=f"{size:.3g} GB of standard storage had {requests:.0f} requests in {len(days)} "
        f"days: {tier.name} costs {share:.0%} less {told}, fees for reading included.",
        wrong_if="its objects are under 128 KB or live less than 30 days, or are soon read whole",
        suggestion=json.dumps(tier.rule, indent=2),
    )  # fmt: skip


def _count(unit: str) -> float:
    """Requests in one of a unit such as `10K` or `10,000 requests`."""
    text = unit.lower().replace(",", "").strip()
    digits = "".join(one for one in text.split(" ")[0] if one.isdigit())
    rest = text[len(digits) :].strip()
    scale = {"k": 1e3, "m": 1e6}.get(rest.split(" ")[0], 1.0) if digits else 1.0
    return float(digits or 1) * scale


def _price_ratio(bill: Bill, resource: str) -> float | None:
    """What the bill's own infrequent tier costs over this resource's standard one, in its region.

    Net unit prices of the window; None where no resource of the provider there has that tier.
    """
    whose = bill.whose[resource]
    own = bill.price([resource], STANDARD)
    there = [
        one
        for one in bill.resources(INFREQUENT)
        if (bill.whose[one].provider, bill.whose[one].region) == (whose.provider, whose.region)
        and bill.unit(one, INFREQUENT) == bill.unit(resource, STANDARD)
    ]
    other = bill.price(there, INFREQUENT)
    if own is None or other is None or own[1] != other[1] or own[0] <= 0 or other[0] <= 0:
        return None
    return float(other[0] / own[0])
