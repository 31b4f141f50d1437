"""Measured use times a dated price list: bills of own hardware and private clouds.

The list itself is read in `price_list`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from finops_dagster.domain.schemas import LogicalType
from finops_dagster.sources.bills import BillFormat, Native
from finops_dagster.sources.kubernetes import tags
from finops_dagster.sources.options import Configurable, Options
from finops_dagster.sources.parsing import DECIMAL, RawColumn, literal, squeeze
from finops_dagster.sources.price_list import KINDS, SCALE, Rate, key_of, read_price_list
from finops_dagster.sources.views import Check, View

_MONEY, _TIME, _FLOAT = LogicalType.MONEY, LogicalType.TIME, LogicalType.FLOAT


class RateCardOptions(Options):
    """Which list prices the use, and what the use files do not say."""

    rates: Path = Field(description="rates: the price list, a CSV file")
    use: Literal["plain", "openshift"] = Field(
        default="plain", description="use: plain, or openshift for its reports of pod usage"
    )
    provider: str = Field(
        default="On-premises", min_length=1, description="provider: who provides what is used"
    )
    account: str = Field(
        default="on-premises",
        min_length=1,
        description="account: whose bill it is, where the use has no account",
    )
    cluster: str | None = Field(
        default=None, min_length=1, description="cluster: name of the cluster the use is of"
    )


@dataclass(frozen=True)
class _Use:
    """One way that use files are written: their columns, and the steps that follow from them."""

    natives: tuple[Native, ...]
    values: Mapping[str, str]
    """`uses` (a list of sku, unit, quantity), `resource`, `kind`, `account`, `region`, `tagged`."""
    times: tuple[str, ...] = ()
    """Columns with times as Go prints them: 2025-10-01 00:00:00 +0000 UTC."""


_PLAIN = _Use(
    natives=(
        Native("start", _TIME, required=True),
        Native("end", _TIME, required=True),
        Native("resource", required=True),
        Native("sku", required=True),
        Native("quantity", _MONEY, required=True, deep=True),
        Native("unit", required=True),
        Native("account"),
        Native("region"),
        Native("resource_type"),
        Native("tags"),
    ),
    values={
        "uses": "[{'sku': n_sku, 'unit': n_unit, 'quantity': n_quantity}]",
        "resource": "n_resource",
        "kind": "n_resource_type",
        "account": "n_account",
        "region": "n_region",
        "tagged": "n_tags",
    },
)


def _hours(used: str, asked: str, divisor: str) -> str:
    """What is paid for is what was asked for, or what was used if that was more."""
    most = f"greatest(n_{used}, n_{asked})"
    return f"TRY_CAST(round({most} / {divisor}, 9)::VARCHAR AS {DECIMAL})"


def _openshift(cluster: str | None) -> _Use:
    cpu = _hours("pod_usage_cpu_core_seconds", "pod_request_cpu_core_seconds", "3600")
    memory = _hours(
        "pod_usage_memory_byte_seconds", "pod_request_memory_byte_seconds", "3865470566400"
    )
    pairs = (
        "list_transform(string_split(n_pod_labels, '|'), lambda one: {'k': "
        "regexp_replace(split_part(one, ':', 1), '^label_', ''), "
        "'v': substr(one, strpos(one, ':') + 1)})"
    )
    once = (
        "list_filter(label_pairs, lambda one, place: "
        "list_position(list_transform(label_pairs, lambda p: p.k), one.k) = place)"
    )
    names = {
        "cluster": literal(cluster) if cluster else "NULL::VARCHAR",
        "node": "n_node",
        "namespace": "n_namespace",
        "workload-kind": "'Pod'",
        "workload-name": "n_pod",
    }
    return _Use(
        natives=(
            Native("start", _TIME, required=True, aliases=("interval_start",)),
            Native("end", _TIME, required=True, aliases=("interval_end",)),
            Native("pod", required=True),
            Native("namespace", required=True),
            Native("node"),
            Native("pod_usage_cpu_core_seconds", _FLOAT, required=True),
            Native("pod_request_cpu_core_seconds", _FLOAT),
            Native("pod_usage_memory_byte_seconds", _FLOAT, required=True),
            Native("pod_request_memory_byte_seconds", _FLOAT),
            Native("pod_labels"),
        ),
        values={
            "uses": f"[{{'sku': 'cpu', 'unit': 'vCPU-Hours', 'quantity': {cpu}}}, "
            f"{{'sku': 'memory', 'unit': 'GiB-Hours', 'quantity': {memory}}}]",
            "resource": "concat_ws('/', n_namespace, n_pod)",
            "kind": "'Pod'",
            "account": "NULL::VARCHAR",
            "region": "NULL::VARCHAR",
            "label_pairs": pairs,
            "labels": f"map_from_entries({once})",
            "tagged": tags("labels", names),
        },
        times=("start", "end", "interval_start", "interval_end"),
    )


_RATE_TYPE = (
    f"STRUCT(kind VARCHAR, price DECIMAL(38,{SCALE}), currency VARCHAR, service VARCHAR, "
    'category VARCHAR, "from" TIMESTAMPTZ, "until" TIMESTAMPTZ)'
)


def _rates(rates: Sequence[Rate]) -> str:
    """SQL of a map from SKU and unit to their rates."""
    grouped: dict[tuple[str, str], list[Rate]] = {}
    for rate in sorted(rates, key=lambda r: (KINDS.index(r.kind), r.start)):
        grouped.setdefault(key_of(rate), []).append(rate)
    keys = ", ".join(literal(_key(*key)) for key in grouped)
    lists = ", ".join(f"[{', '.join(map(_struct, held))}]" for held in grouped.values())
    return f"MAP([{keys}]::VARCHAR[], [{lists}]::{_RATE_TYPE}[][])"


def _key(sku: str, unit: str) -> str:
    return f"{sku}\n{unit}"


def _struct(rate: Rate) -> str:
    fields = {
        "kind": literal(rate.kind),
        "price": f"'{rate.price:f}'::DECIMAL(38,{SCALE})",
        "currency": literal(rate.currency),
        "service": literal(rate.service) if rate.service else "NULL",
        "category": literal(rate.category) if rate.category else "NULL",
        "from": f"TIMESTAMPTZ '{rate.start.isoformat()}'",
        "until": f"TIMESTAMPTZ '{rate.end.isoformat()}'",
    }
    return "{" + ", ".join(f"'{name}': {sql}" for name, sql in fields.items()) + "}"


def _values(options: RateCardOptions, use: _Use, rates: Sequence[Rate]) -> dict[str, str]:
    """Column -> SQL; those that are no columns of charges are steps on the way."""
    sku = (
        "CASE rate['kind'] WHEN 'price' THEN use['sku'] ELSE use['sku'] || ' ' || rate['kind'] END"
    )
    return {
        "charge_period_start": "n_start",
        # a report of hours ends them in their last second
        "charge_period_end": "CASE WHEN minute(n_end) = 59 AND second(n_end) = 59 "
        "THEN date_trunc('second', n_end) + INTERVAL 1 SECOND ELSE n_end END",
        "billing_period_start": "date_trunc('month', charge_period_start)",
        "billing_period_end": "billing_period_start + INTERVAL 1 MONTH",
        **use.values,
        "use_no": "unnest(range(1, len(uses) + 1))",
        "use": "uses[use_no]",
        "listed": f"coalesce(map_extract_value({_rates(rates)}, "
        "lower(trim(use['sku'])) || chr(10) || lower(trim(use['unit']))), [])",
        "valid": "list_filter(listed, lambda r: r['from'] <= charge_period_start "
        "AND charge_period_end <= r['until'])",
        "kinds": "len(list_distinct(list_transform(listed, lambda r: r['kind'])))",
        "rate_no": "unnest(range(1, greatest(len(valid), 1) + 1))",
        "rate": "valid[rate_no]",
        "quantity": "use['quantity']",
        "q_whole": "trunc(quantity)::DECIMAL(18,0)",
        "q_part": "(quantity - q_whole)::DECIMAL(20,20)",
        "p_whole": "trunc(rate['price'])::DECIMAL(18,0)",
        "p_part": f"(rate['price'] - p_whole)::DECIMAL({SCALE},{SCALE})",
        # no product of two such decimals fits, those of their parts do: exact to the last place
        "billed_cost": f"TRY_CAST(q_whole * p_whole AS {DECIMAL}) + (q_part * p_whole)::{DECIMAL} "
        f"+ TRY_CAST(q_whole * p_part AS {DECIMAL}) + (q_part * p_part)::{DECIMAL}",
        "effective_cost": "billed_cost",
        "contracted_cost": "billed_cost",
        "list_cost": "billed_cost",
        "list_unit_price": f"rate['price']::{DECIMAL}",
        "contracted_unit_price": "list_unit_price",
        "billing_currency": "rate['currency']",
        "billing_account_id": f"coalesce(account, {literal(options.account)})",
        "region_id": "region",
        "provider_name": literal(options.provider),
        "publisher_name": literal(options.provider),
        "invoice_issuer_name": literal(options.provider),
        "charge_category": "'Usage'",
        "charge_frequency": "'Usage-Based'",
        "pricing_category": "'Standard'",
        "service_name": f"coalesce(rate['service'], {literal(options.provider)})",
        "service_category": "coalesce(rate['category'], 'Other')",
        "sku_id": "use['sku']",
        "sku_meter": sku,
        "pricing_quantity": "quantity",
        "pricing_unit": "use['unit']",
        # a use counts once, whatever number of rates it has
        "consumed_quantity": "CASE WHEN rate_no = 1 THEN quantity END",
        "consumed_unit": "CASE WHEN rate_no = 1 THEN use['unit'] END",
        "charge_description": "sku_meter || ' of ' || resource",
        "resource_id": "resource",
        "resource_name": "resource",
        "resource_type": "kind",
        "tags": "tagged",
    }


_UNPRICED = Check(
    "rate_missing",
    "sku",
    "(len(valid) < greatest(kinds, 1))",
    "quoted(use['sku']) || ' in ' || quoted(use['unit']) || CASE "
    "WHEN len(listed) = 0 THEN ' is not in the price list' "
    "WHEN len(list_filter(listed, lambda r: r['from'] < charge_period_end "
    "AND r['until'] > charge_period_start)) > len(valid) "
    "THEN ' changes its rate within the use: deliver the use by day' "
    "ELSE ' has no rate of each kind in the price list for ' || charge_period_start::VARCHAR END",
)
_NEVER_LONG = Check(
    "period_reversed",
    "end",
    "(charge_period_end <= charge_period_start)",
    "'the use ends before it starts'",
)


@dataclass(frozen=True)
class RateCardFormat(BillFormat):
    """A use is a charge for each kind of rate its SKU has; see docs/billing.md."""

    options: RateCardOptions | None = None
    use: _Use = _PLAIN

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. The list is read anew each time: its bytes belong to the delivery."""
        assert self.options is not None  # made by _make alone
        priced = read_price_list(self.options.rates)
        filled = replace(self, values=_values(self.options, self.use, priced.rates))
        view = super(RateCardFormat, filled).view([self._timed(one) for one in columns], files)
        view.faults.extend(priced.faults)
        view.extras = [
            replace(one, sql=f"CASE WHEN use_no = 1 AND rate_no = 1 THEN {one.sql} END")
            for one in view.extras
        ]
        return view

    def _timed(self, column: RawColumn) -> RawColumn:
        if squeeze(column.name) not in {squeeze(name) for name in self.use.times}:
            return column
        if column.type != "VARCHAR":
            return column
        go = r"' ([+-]\d{2})(\d{2}) [A-Z]{3,4}$', '\1:\2'"
        return replace(column, sql=f"regexp_replace({column.sql}, {go})")


def _make(options: RateCardOptions) -> RateCardFormat:
    use = _openshift(options.cluster) if options.use == "openshift" else _PLAIN
    return RateCardFormat(
        label=f"use to be priced ({options.use})",
        natives=use.natives,
        values={},
        file_cost="billed_cost",
        checks=(_UNPRICED, _NEVER_LONG),
        options=options,
        use=use,
    )


RATE_CARD = Configurable(RateCardOptions, _make)
"""The format `rate_card`."""
