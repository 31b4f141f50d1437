"""The charges of the estate: pods, cloud meters, commitments, credits, taxes, corrections.

How they become FOCUS columns is in focus; how they are delivered is in exports.
"""

from __future__ import annotations


from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from finops_dagster.demo.cloud import METERS, Meter
from finops_dagster.demo.company import (
    ACCOUNTS,
    GPU_PRICES,
    PROVIDERS,
    REGION_NAMES,
    Cluster,
    Provider,
    tags_of,
)
from finops_dagster.demo.consumption import Event, meters, quantities, unit_price
from finops_dagster.demo.demand import (
    Claims,
    Timeline,
    claim_size,
    cron_running,
    replicas_at,
)
from finops_dagster.demo.focus import MISSING, Rows, Template
from finops_dagster.demo.noise import Floats, Ints
from finops_dagster.demo.plan import Claim, Plan, Workload
from finops_dagster.demo.seasons import (
    AS_OF,
    HOUR_MINUTES,
    day_number,
    day_of,
    minutes_of,
)

CLOSING = 1_000_000
"""`visible` of what is known only when a month is closed: taxes and support."""
CORRECTED_ON = 6
"""Day of the month on which corrections of the month before appear."""


@dataclass(frozen=True)
class Commitment:
    """Something bought ahead. A plan is paid by month; a reservation at once, for a year."""

    key: str
    name: str
    category: str
    type: str
    saving_permille: int
    """How much cheaper what it covers is than the list."""
    upfront_on: date | None
    headroom_permille: int
    """How much more was bought than is used when everything runs."""


COMMITMENTS: dict[str, Commitment] = {
    "compute-plan": Commitment(
        "compute-plan", "Compute Savings Plan 1 year", "Spend", "Savings Plan", 270, None, 30
    ),
    "sql-reservation": Commitment(
        "sql-reservation",
        "SQL vCore reservation 1 year",
        "Usage",
        "Reservation",
        330,
        date(2025, 11, 17),
        0,
    ),
}


@dataclass
class Book:
    """Collects templates and rows of one provider's charges."""

    provider: Provider
    templates: list[Template] = field(default_factory=list)
    parts: list[Rows] = field(default_factory=list)

    def add(
        self,
        template: Template,
        start: Ints,
        quantity: Ints | None,
        list_price: Ints | None,
        *,
        end: Ints | None = None,
        visible: Ints | None = None,
        contracted_price: Ints | None = None,
        list_cost: Ints | None = None,
        contracted_cost: Ints | None = None,
        effective_cost: Ints | None = None,
        billed_cost: Ints | None = None,
    ) -> None:
        """Add one row for each entry of `start`; what is not said follows from the rest.

        Contracted price defaults to the list price less the negotiated discount, costs to
        quantity times price, and what is billed to what was contracted.
        """
        count = len(start)
        missing = np.full(count, MISSING, dtype=np.int64)
        if list_price is not None and contracted_price is None:
            contracted_price = discounted(list_price, self.provider.discount_permille)
        if quantity is not None and list_price is not None and contracted_price is not None:
            list_cost = quantity * list_price if list_cost is None else list_cost
            if contracted_cost is None:
                contracted_cost = quantity * contracted_price
        if list_cost is None or contracted_cost is None:
            raise ValueError("a charge needs quantity and price, or its costs")
        self.parts.append(
            Rows(
                template=np.full(count, len(self.templates), dtype=np.int64),
                start=start,
                end=start + 1 if end is None else end,
                visible=start if visible is None else visible,
                quantity=missing if quantity is None else quantity,
                list_price=missing if list_price is None else list_price,
                contracted_price=missing if contracted_price is None else contracted_price,
                list_cost=list_cost,
                contracted_cost=contracted_cost,
                effective_cost=contracted_cost if effective_cost is None else effective_cost,
                billed_cost=contracted_cost if billed_cost is None else billed_cost,
            )
        )
        self.templates.append(template)

    def rows(self) -> Rows:
        """Every row added, in order."""
        return Rows.joined(self.parts)


def discounted(price: Ints, permille: int) -> Ints:
    """`price` less a discount in thousandths, rounded half up to whole 1e-6 units."""
    result: Ints = (price * (1000 - permille) + 500) // 1000
    return result


def build(
    plan: Plan,
    timeline: Timeline,
    claims: Claims,
    hidden: tuple[Event, ...],
    first: date,
    last: date,
) -> dict[str, Book]:
    """Every charge with a charge period from `first` to `last`, by provider key."""
    books = {key: Book(provider) for key, provider in PROVIDERS.items()}
    days = np.arange(day_number(first), day_number(last) + 1, dtype=np.int64)
    minutes = minutes_of(first, last, HOUR_MINUTES)
    for workload in plan.workloads:
        _workload(
            books[workload.cluster.provider.key], plan.seed, workload, timeline, minutes, days
        )
    for claim in plan.claims:
        _claim(books[claim.cluster.provider.key], claim, claims, days)
    used: dict[str, Ints] = {}
    for meter in meters():
        account = ACCOUNTS[meter.account]
        quantity = quantities(plan.seed, meter, days, hidden)
        born = (days >= day_number(AS_OF) - meter.age_days) & (quantity > 0)
        at = np.flatnonzero(born)
        if not len(at):
            continue
        price = unit_price(meter, days, hidden)
        book = books[account.provider]
        if meter.commitment:
            used_cost = _committed(book, meter, days[at], quantity[at], price[at])
            total = used.setdefault(meter.commitment, np.zeros(len(days), dtype=np.int64))
            total[at] += used_cost
        else:
            book.add(_meter_template(book.provider, meter), days[at], quantity[at], price[at])
    for key, spent in used.items():
        _commitment(books, COMMITMENTS[key], days, spent)
    for book in books.values():
        _adjustments(book, days)
        _corrections(book, days)
        _closing(book, days)
    return books


def _base(provider: Provider, account: str, region: str) -> dict[str, str]:
    sub = ACCOUNTS[account]
    return {
        "BillingAccountId": provider.billing_account_id,
        "BillingAccountName": provider.billing_account_name,
        "BillingAccountType": provider.billing_account_type,
        "BillingCurrency": provider.currency,
        "PricingCurrency": provider.currency,
        "ProviderName": provider.name,
        "PublisherName": provider.name,
        "InvoiceIssuerName": provider.invoice_issuer,
        "SubAccountId": sub.id,
        "SubAccountName": sub.name,
        "SubAccountType": provider.sub_account_type,
        "RegionId": region,
        "RegionName": REGION_NAMES[region],
    }


def _usage(service: tuple[str, str, str], meter: str, unit: str, sku: str) -> dict[str, str]:
    return {
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "PricingCategory": "Standard",
        "ServiceName": service[0],
        "ServiceCategory": service[1],
        "ServiceSubcategory": service[2],
        "SkuMeter": meter,
        "ConsumedUnit": unit,
        "PricingUnit": unit,
        "SkuId": f"SKU-{sku}",
        "SkuPriceId": f"SKU-{sku}-OD",
    }


def _resource_id(provider: str, account: str, region: str, kind: str, name: str) -> str:
    sub = ACCOUNTS[account].id
    if provider == "aws":
        return f"arn:aws:{kind}:{region}:{sub}:{name}"
    if provider == "azure":
        return f"{sub}/resourceGroups/rg-{kind}/providers/{name}"
    return f"//{kind}.googleapis.com/projects/{sub}/locations/{region}/{name}"


def pod_tags(
    cluster: Cluster,
    namespace: str,
    kind: str,
    name: str,
    team: str | None,
    environment: str,
    missing: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Tags of a pod-billed charge: where it ran, and who owns it where that is labelled."""
    tags = {
        "k8s-cluster": cluster.name,
        "k8s-namespace": namespace,
        "k8s-workload-kind": kind,
        "k8s-workload-name": name,
    }
    if team is not None:
        known = frozenset({"team", "environment", "business_unit", "cost_center"}) - {
            label.replace("-", "_") for label in missing
        }
        tags |= tags_of(cluster.provider.tag_style, team, environment, only=known)
    return tags


def _pod_template(
    workload: Workload, meter: str, unit: str, sku: str, service: tuple[str, str, str]
) -> Template:
    cluster, spec = workload.cluster, workload.spec
    provider = cluster.provider
    # What was started by hand carries no owner.
    team = None if workload.namespace == "ml-sandbox" else spec.team
    path = f"workload/{cluster.name}/{workload.namespace}/{spec.kind.lower()}/{spec.name}"
    return Template(
        texts={
            **_base(provider, cluster.account, cluster.region),
            **_usage(service, meter, unit, sku),
            "ChargeDescription": f"{meter} of {workload.namespace}/{spec.name}",
            "ResourceId": _resource_id(
                provider.key, cluster.account, cluster.region, "kubernetes", path
            ),
            "ResourceName": spec.name,
            "ResourceType": "Kubernetes Workload",
        },
        tags=pod_tags(
            cluster,
            workload.namespace,
            spec.kind,
            spec.name,
            team,
            workload.environment,
            spec.missing_labels,
        ),
    )


def pod_hours(
    seed: int, workload: Workload, timeline: Timeline, minutes: Ints
) -> tuple[dict[str, Floats], int]:
    """vCPU-, GiB- and GPU-hours of a workload on each day, from hourly `minutes`; and the days."""
    replicas, sizings, of = replicas_at(seed, workload, timeline, minutes)
    count = len(sizings)
    running = cron_running(workload, minutes, HOUR_MINUTES)
    hours = np.bincount(of, weights=np.nan_to_num(replicas) * running, minlength=count)
    cpu = np.array(
        [sum(c.cpu_millis for c in s.containers) / 1000.0 if s else 0.0 for s in sizings]
    )
    memory = np.array(
        [sum(c.memory_mib for c in s.containers) / 1024.0 if s else 0.0 for s in sizings]
    )
    gpus = np.array([float(sum(c.gpus for c in s.containers)) if s else 0.0 for s in sizings])
    return {
        "vCPU-hours": hours * cpu,
        "GiB-hours": hours * memory,
        "GPU-hours": hours * gpus,
    }, count


def _workload(
    book: Book, seed: int, workload: Workload, timeline: Timeline, minutes: Ints, days: Ints
) -> None:
    cluster = workload.cluster
    amounts, _ = pod_hours(seed, workload, timeline, minutes)
    prices = {
        "vCPU-hours": ("vCPU-Hours", cluster.cpu_price),
        "GiB-hours": ("GiB-Hours", cluster.memory_price),
        "GPU-hours": ("GPU-Hours", GPU_PRICES.get(workload.spec.gpu or "", 0)),
    }
    service = (cluster.service, "Compute", "Containers")
    for meter, (unit, price) in prices.items():
        quantity = np.rint(amounts[meter] * 10_000).astype(np.int64)
        at = np.flatnonzero(quantity)
        if not len(at):
            continue
        sku = (
            f"{cluster.region}-{unit}-{workload.spec.gpu}"
            if meter == "GPU-hours"
            else (f"{cluster.region}-{unit}")
        )
        template = _pod_template(workload, meter, unit, sku, service)
        book.add(template, days[at], quantity[at], np.full(len(at), price, dtype=np.int64))


_DISKS = {
    "aws": ("Amazon Elastic Block Store", "Storage", "Block Storage"),
    "azure": ("Azure Disk Storage", "Storage", "Block Storage"),
    "gcp": ("Persistent Disk", "Storage", "Block Storage"),
}


def _claim(book: Book, claim: Claim, claims: Claims, days: Ints) -> None:
    sizes = np.array([claim_size(claim, claims, day_of(int(number))) or 0 for number in days])
    at = np.flatnonzero(sizes)
    if not len(at):
        return
    cluster = claim.cluster
    length = np.array([_month_length(int(number)) for number in days[at]])
    quantity = np.rint(sizes[at] * 10_000 / length).astype(np.int64)
    template = Template(
        texts={
            **_base(book.provider, cluster.account, cluster.region),
            **_usage(
                _DISKS[book.provider.key],
                "Storage GiB-months",
                "GiB-Months",
                f"{cluster.region}-disk",
            ),
            "ChargeDescription": f"Volume {claim.namespace}/{claim.name}",
            "ResourceId": _resource_id(
                book.provider.key,
                cluster.account,
                cluster.region,
                "disk",
                f"volume/pvc-{claim.namespace}-{claim.name}",
            ),
            "ResourceName": claim.name,
            "ResourceType": "Kubernetes Volume",
        },
        tags=pod_tags(
            cluster, claim.namespace, "PersistentVolumeClaim", claim.name, claim.team, "prod"
        ),
    )
    price = np.full(len(at), cluster.storage_price, dtype=np.int64)
    book.add(template, days[at], quantity, price)


def _month_length(number: int) -> int:
    day = day_of(number)
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return (following - day.replace(day=1)).days


def _meter_template(provider: Provider, meter: Meter) -> Template:
    service = (meter.service.name, meter.service.category, meter.service.subcategory)
    texts = {
        **_base(provider, meter.account, meter.region),
        **_usage(service, meter.meter, meter.unit, meter.key),
        "ChargeDescription": f"{meter.service.name}: {meter.meter}",
    }
    if meter.resource and meter.resource_type:
        kind = meter.resource_type.lower().replace(" ", "-")
        texts |= {
            "ResourceId": _resource_id(
                provider.key, meter.account, meter.region, kind, meter.resource
            ),
            "ResourceName": meter.resource,
            "ResourceType": meter.resource_type,
        }
    return Template(
        texts,
        tags_of(provider.tag_style, meter.team, meter.environment, only=meter.tags),
    )


def _commitment_texts(provider: Provider, commitment: Commitment) -> dict[str, str]:
    return {
        "CommitmentDiscountId": f"{provider.key}-{commitment.key}-2025",
        "CommitmentDiscountName": commitment.name,
        "CommitmentDiscountCategory": commitment.category,
        "CommitmentDiscountType": commitment.type,
        "CommitmentDiscountUnit": provider.currency if commitment.category == "Spend" else "Hours",
    }


def _committed(book: Book, meter: Meter, days: Ints, quantity: Ints, price: Ints) -> Ints:
    """Usage that a commitment pays for: billed 0, effective at the committed price."""
    commitment = COMMITMENTS[meter.commitment or ""]
    start = day_number(commitment.upfront_on) if commitment.upfront_on else int(days[0])
    plain = np.flatnonzero(days < start)
    template = _meter_template(book.provider, meter)
    if len(plain):
        book.add(template, days[plain], quantity[plain], price[plain])
    covered = np.flatnonzero(days >= start)
    committed_price = discounted(price, commitment.saving_permille)
    cost = np.zeros(len(days), dtype=np.int64)
    cost[covered] = quantity[covered] * committed_price[covered]
    if len(covered):
        texts = {
            **template.texts,
            **_commitment_texts(book.provider, commitment),
            "CommitmentDiscountStatus": "Used",
            "PricingCategory": "Committed",
        }
        book.add(
            Template(texts, template.tags),
            days[covered],
            quantity[covered],
            price[covered],
            effective_cost=cost[covered],
            billed_cost=np.zeros(len(covered), dtype=np.int64),
        )
    return cost


def _commitment(books: dict[str, Book], commitment: Commitment, days: Ints, spent: Ints) -> None:
    """The purchase, and what of it nobody used: their effective costs sum to what was paid."""
    meter = next(m for m in METERS if m.commitment == commitment.key)
    book = books[ACCOUNTS[meter.account].provider]
    base = {
        **_base(book.provider, meter.account, meter.region),
        **_commitment_texts(book.provider, commitment),
        "ServiceName": meter.service.name,
        "ServiceCategory": meter.service.category,
        "ServiceSubcategory": meter.service.subcategory,
        "SkuId": f"SKU-{commitment.key}",
        "SkuPriceId": f"SKU-{commitment.key}-1Y",
        "ResourceId": f"{book.provider.key}-{commitment.key}-2025",
        "ResourceName": commitment.name,
        "ResourceType": commitment.type,
    }
    tags = tags_of(book.provider.tag_style, "platform-sre", "prod")
    full = sum(
        m.per_day * 10_000 * int(discounted(np.array([m.price]), commitment.saving_permille)[0])
        for m in METERS
        if m.commitment == commitment.key
    )
    # Whole 1e-6 units, so that the unit price of a day says exactly what is paid.
    daily = round(full) * (1000 + commitment.headroom_permille) // 10_000_000 * 10_000
    if commitment.upfront_on is None:
        starts = np.array([n for n in days if n == days[0] or day_of(int(n)).day == 1])
        ends = np.array([_month_end(int(n)) for n in starts])
        cost = daily * (ends - starts)
        texts = {"ChargeFrequency": "Recurring"}
    else:
        bought = day_number(commitment.upfront_on)
        starts = np.array([n for n in (bought,) if days[0] <= n <= days[-1]], dtype=np.int64)
        ends = starts + 365
        cost = np.full(len(starts), daily * 365, dtype=np.int64)
        texts = {"ChargeFrequency": "One-Time"}
        # Only the days it covers count as unused.
        spent = np.where(days >= bought, spent, daily)
    if len(starts):
        zero = np.zeros(len(starts), dtype=np.int64)
        book.add(
            Template(
                base
                | texts
                | {
                    "ChargeCategory": "Purchase",
                    "PricingCategory": "Standard",
                    "PricingUnit": "Days",
                    "ChargeDescription": f"Purchase of {commitment.name}",
                },
                tags,
            ),
            starts,
            (ends - starts) * 10_000,
            np.full(len(starts), daily // 10_000, dtype=np.int64),
            end=ends,
            list_cost=cost,
            contracted_cost=cost,
            contracted_price=np.full(len(starts), daily // 10_000, dtype=np.int64),
            effective_cost=zero,
            billed_cost=cost,
        )
    unused = np.flatnonzero(spent < daily)
    if len(unused):
        left = daily - spent[unused]
        zero = np.zeros(len(unused), dtype=np.int64)
        book.add(
            Template(
                base
                | {
                    "ChargeCategory": "Usage",
                    "ChargeFrequency": "Usage-Based",
                    "PricingCategory": "Committed",
                    "CommitmentDiscountStatus": "Unused",
                    "ChargeDescription": f"Unused part of {commitment.name}",
                },
                tags,
            ),
            days[unused],
            None,
            None,
            list_cost=zero,
            contracted_cost=zero,
            effective_cost=left,
            billed_cost=zero,
        )


def _month_end(number: int) -> int:
    day = day_of(number)
    return day_number((day.replace(day=28) + timedelta(days=4)).replace(day=1))


def _flat_cost(
    book: Book,
    days: Ints,
    amount_cents: int,
    texts: dict[str, str],
    account: str,
    visible: Ints | None = None,
    end: Ints | None = None,
) -> None:
    """Rows of one fixed amount that no quantity explains."""
    region = next(m.region for m in METERS if m.account == account)
    cost = np.full(len(days), amount_cents * 10**8, dtype=np.int64)
    book.add(
        Template({**_base(book.provider, account, region), **texts}, {}),
        days,
        None,
        None,
        list_cost=cost,
        contracted_cost=cost,
        visible=visible,
        end=end,
    )


def _adjustments(book: Book, days: Ints) -> None:
    """Promotional credits and one refund."""
    firsts = np.array([n for n in days if day_of(int(n)).day == 1], dtype=np.int64)
    credit = {
        "ChargeCategory": "Credit",
        "ChargeFrequency": "One-Time",
        "ServiceName": "Promotional credits",
        "ServiceCategory": "Other",
        "ServiceSubcategory": "Other (Other)",
        "ChargeDescription": "Migration programme credit",
    }
    if book.provider.key == "aws":
        funded = np.array([n for n in firsts if day_of(int(n)) <= date(2026, 3, 1)], dtype=np.int64)
        if len(funded):
            _flat_cost(book, funded, -40_000, credit, "aws-shared")
    if book.provider.key == "gcp" and len(firsts):
        _flat_cost(book, firsts, -22_500, credit, "gcp-data")
    refund_day = day_number(date(2026, 8, 11))
    if book.provider.key == "azure" and days[0] <= refund_day <= days[-1]:
        refund = credit | {
            "ChargeCategory": "Adjustment",
            "ServiceName": "Azure SQL Database",
            "ServiceCategory": "Databases",
            "ServiceSubcategory": "Relational Databases",
            "ChargeDescription": "Refund: availability below the service level agreed",
        }
        _flat_cost(book, np.array([refund_day]), -31_240, refund, "azure-pay")


def _corrections(book: Book, days: Ints) -> None:
    """In January, April, July and October three days of the month before are re-rated.

    A reversal of the old charges and new ones at nine tenths, both of class Correction, with the
    charge period of the old ones.
    """
    plain = [
        (template, part)
        for template, part in zip(book.templates, book.parts, strict=True)
        if template.texts.get("ServiceCategory") == "Networking"
    ]
    for month in [n for n in days if day_of(int(n)).day == CORRECTED_ON]:
        if day_of(int(month)).month % 3 != 1:
            continue
        start = day_number((day_of(int(month)).replace(day=1) - timedelta(days=12)))
        for template, part in plain:
            at = np.flatnonzero((part.start >= start) & (part.start < start + 3))
            if not len(at):
                continue
            picked = part.pick(at)
            shown = np.full(len(at), month, dtype=np.int64)
            texts = template.texts | {"ChargeClass": "Correction"}
            rerated = discounted(picked.contracted_price, 100)
            for sign, price in ((-1, picked.contracted_price), (1, rerated)):
                word = "Reversal" if sign < 0 else "Re-rated"
                book.add(
                    Template(
                        texts | {"ChargeDescription": f"{word}: {texts['ChargeDescription']}"},
                        template.tags,
                    ),
                    picked.start,
                    sign * picked.quantity,
                    picked.list_price,
                    contracted_price=price,
                    visible=shown,
                )


def _closing(book: Book, days: Ints) -> None:
    """Support and tax, known only when a month is closed; for whole months."""
    rows = book.rows()
    ends = sorted({_month_end(int(n)) for n in days})
    for end in ends:
        if end > int(days[-1]) + 1:
            continue
        start = max(day_number(day_of(end - 1).replace(day=1)), int(days[0]))
        inside = (rows.visible >= start) & (rows.visible < end)
        total = int(rows.billed_cost[inside].sum())
        account = {"aws": "aws-shared", "azure": "azure-pay", "gcp": "gcp-data"}[book.provider.key]
        when = np.array([start], dtype=np.int64)
        closed = np.array([CLOSING + end], dtype=np.int64)
        period_end = np.array([end], dtype=np.int64)
        if book.provider.key == "aws":
            cents = total * 3 // 100 // 10**8
            _flat_cost(
                book,
                when,
                cents,
                {
                    "ChargeCategory": "Purchase",
                    "ChargeFrequency": "Recurring",
                    "PricingCategory": "Standard",
                    "ServiceName": "AWS Support (Business)",
                    "ServiceCategory": "Management and Governance",
                    "ServiceSubcategory": "Support",
                    "ChargeDescription": "Support, 3 % of the month",
                },
                account,
                closed,
                period_end,
            )
        if book.provider.tax_permille:
            cents = total * book.provider.tax_permille // 1000 // 10**8
            _flat_cost(
                book,
                when,
                cents,
                {
                    "ChargeCategory": "Tax",
                    "ChargeFrequency": "Recurring",
                    "ServiceName": "Tax",
                    "ServiceCategory": "Other",
                    "ServiceSubcategory": "Other (Other)",
                    "ChargeDescription": "Value added tax",
                },
                account,
                closed,
                period_end,
            )
