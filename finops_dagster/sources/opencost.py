"""OpenCost's allocations, the API's answer or the CSV export: one charge for each cost of one.

How JSON documents are taken apart is in `json_lines`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from finops_dagster.domain.schemas import LogicalType
from finops_dagster.sources.bills import BillFormat, Native
from finops_dagster.sources.kubernetes import tags
from finops_dagster.sources.options import Configurable, Options
from finops_dagster.sources.parsing import DECIMAL, Note, RawColumn, is_text, literal, squeeze
from finops_dagster.sources.views import Check, View

_MONEY, _TIME, _MAP = LogicalType.MONEY, LogicalType.TIME, LogicalType.STRING_MAP
_FLOAT = LogicalType.FLOAT


class OpenCostOptions(Options):
    """What the answer does not say."""

    currency: str = Field(
        pattern=r"^[A-Z]{3}$",
        description="currency: the ISO 4217 code that OpenCost's prices are in; its answer does "
        "not say",
    )
    account: str = Field(
        default="opencost",
        min_length=1,
        description="account: whose bill it is, as BillingAccountId",
    )
    cluster: str | None = Field(
        default=None,
        min_length=1,
        description="cluster: the cluster's name where the file has none, as the CSV export",
    )


@dataclass(frozen=True)
class _Part:
    """One of the costs of an allocation, and what FOCUS calls it."""

    word: str
    meter: str
    unit: str | None
    category: str
    subcategory: str
    cost: str
    """SQL of what it costs without adjustment."""
    adjustment: str = f"0::{DECIMAL}"
    quantity: str = f"NULL::{DECIMAL}"
    charge: str = "Usage"


def _native_cost(name: str) -> str:
    return f"coalesce(n_{name}, 0::{DECIMAL})"


def _scaled(number: str, divisor: str) -> str:
    """A measured DOUBLE in another unit, by nine decimals: it is no money."""
    return f"TRY_CAST(round(({number}) / {divisor}, 9)::VARCHAR AS {DECIMAL})"


def _of(name: str) -> tuple[str, str]:
    return _native_cost(f"{name}_cost"), _native_cost(f"{name}_cost_adjustment")


_NO_LABELS = "MAP {}::MAP(VARCHAR, VARCHAR)"
_GIB = "1073741824"
_MONTH_HOURS = "date_diff('hour', billing_period_start, billing_period_end)"
_BYTES = "coalesce(n_network_transfer_bytes, 0) + coalesce(n_network_receive_bytes, 0)"

_COSTS = (
    _Part("CPU", "vCPU-hours", "vCPU-Hours", "Compute", "Containers", *_of("cpu"),
          "n_cpu_core_hours"),
    _Part("Memory", "GiB-hours", "GiB-Hours", "Compute", "Containers", *_of("ram"),
          _scaled("n_ram_byte_hours", _GIB)),
    _Part("GPU", "GPU-hours", "GPU-Hours", "Compute", "Containers", *_of("gpu"), "n_gpu_hours"),
    _Part("Volumes", "Storage GiB-months", "GiB-Months", "Storage", "Block Storage", *_of("pv"),
          _scaled("n_pv_byte_hours", f"({_GIB} * {_MONTH_HOURS})")),
    _Part("Network", "Network transfer", "GB", "Networking", "Network Connectivity",
          *_of("network"), _scaled(_BYTES, "1e9")),
    _Part("Load balancers", "Load balancers", None, "Networking", "Application Networking",
          *_of("load_balancer")),
    _Part("Shared cost", "Shared cost", None, "Other", "Other (Other)",
          _native_cost("shared_cost")),
    _Part("External cost", "External cost", None, "Other", "Other (Other)",
          _native_cost("external_cost")),
)  # fmt: skip
"""The terms of OpenCost's own totalCost (Allocation.TotalCost, core/pkg/opencost/allocation.go)."""

_PARTS_SUM = " + ".join(f"{part.cost} + {part.adjustment}" for part in _COSTS)
_REST = _Part(
    "Rest of the total", "Rest of the total", None, "Other", "Other (Other)",
    f"coalesce(n_total_cost - costs, 0::{DECIMAL})", charge="Adjustment",
)  # fmt: skip
"""OpenCost rounds each number to five decimals by itself, and its CSV has no column for load
balancers, shared and external cost: what the total has beyond its parts is a charge too."""

_PARTS = (*_COSTS, _REST)
_ROUNDING = "0.0001"
"""More than fifteen numbers of five decimals can be off together."""


def _list() -> str:
    """SQL of the parts that cost or measure something; of an allocation without any, the first."""
    items = ", ".join(
        f"{{'id': {number}, 'list': {part.cost}, 'cost': {part.cost} + {part.adjustment}, "
        f"'quantity': {part.quantity}}}"
        for number, part in enumerate(_PARTS, 1)
    )
    return f"[{items}]"


def _word(words: Sequence[str | None]) -> str:
    listed = ", ".join("NULL" if word is None else literal(word) for word in words)
    return f"[{listed}][part['id']]"


def _said(name: str) -> str:
    """SQL of a property: a column of its own, or inside the JSON of `properties`."""
    return f"coalesce(n_{name}, {_inside(name)})"


def _inside(name: str) -> str:
    key = {"controller_kind": "controllerKind"}.get(name, name)
    return f"json_extract_string(properties, '$.{key}')"


def _real(sql: str) -> str:
    """Null for OpenCost's words for nobody: __idle__, __unallocated__, __unmounted__."""
    return f"CASE WHEN NOT (starts_with({sql}, '__') AND ends_with({sql}, '__')) THEN {sql} END"


def _labels(key: str) -> str:
    """SQL of the map under a property; empty where it is none, or repeats a key."""
    keys = f"json_keys(properties, '$.{key}')"
    found = f"TRY_CAST(json_extract(properties, '$.{key}') AS MAP(VARCHAR, VARCHAR))"
    once = f"CASE WHEN len(list_distinct({keys})) = len({keys}) THEN {found} END"
    return f"coalesce({once}, {_NO_LABELS})"


def _instant(key: str) -> str:
    return f"TRY_CAST(json_extract_string(span, '$.{key}') AS TIMESTAMPTZ)"


_NATIVES = (
    Native("name"),
    Native("properties"),
    Native("window"),
    Native("window_start", _TIME),
    Native("window_end", _TIME),
    Native("start", _TIME),
    Native("end", _TIME),
    Native("date", _TIME),
    Native("cluster", aliases=("properties.cluster",)),
    Native("node", aliases=("properties.node",)),
    Native("namespace", aliases=("properties.namespace",)),
    Native("controller", aliases=("ControllerName", "properties.controller")),
    Native("controller_kind", aliases=("properties.controllerKind",)),
    Native("pod", aliases=("properties.pod",)),
    Native("container", aliases=("properties.container",)),
    Native("labels", _MAP),
    Native("cpu_core_hours", _MONEY),
    Native("ram_byte_hours", _FLOAT),
    Native("gpu_hours", _MONEY),
    Native("pv_byte_hours", _FLOAT),
    Native("network_transfer_bytes", _FLOAT),
    Native("network_receive_bytes", _FLOAT),
    Native("cpu_cost", _MONEY, required=True),
    Native("cpu_cost_adjustment", _MONEY),
    Native("ram_cost", _MONEY, required=True),
    Native("ram_cost_adjustment", _MONEY),
    Native("gpu_cost", _MONEY),
    Native("gpu_cost_adjustment", _MONEY),
    Native("pv_cost", _MONEY),
    Native("pv_cost_adjustment", _MONEY),
    Native("network_cost", _MONEY),
    Native("network_cost_adjustment", _MONEY),
    Native("load_balancer_cost", _MONEY),
    Native("load_balancer_cost_adjustment", _MONEY),
    Native("shared_cost", _MONEY),
    Native("external_cost", _MONEY),
    Native("total_cost", _MONEY),
)

_MONEY_NAMES = {native.name for native in _NATIVES if native.type is _MONEY}
_COST_NAMES = {name for name in _MONEY_NAMES if "_cost" in name}

_NAMES = {
    "cluster": "cluster_name",
    "node": "node_name",
    "namespace": "namespace_name",
    "workload-kind": "workload_kind",
    "workload-name": "workload",
    "pod": "pod_name",
    "container": "container_name",
}


def _values(options: OpenCostOptions) -> dict[str, str]:
    """Column -> SQL; those that are no columns of charges are steps on the way."""
    cluster = f"coalesce({_said('cluster')}, {literal(options.cluster or '')})"
    return {
        "properties": "CASE WHEN json_valid(n_properties) THEN n_properties::JSON END",
        "span": "CASE WHEN json_valid(n_window) THEN n_window::JSON END",
        "allocation": "coalesce(n_name, concat_ws('/', n_namespace, n_pod, n_container))",
        "cluster_name": f"nullif({_real(cluster)}, '')",
        "node_name": _real(_said("node")),
        "namespace_name": _real(_said("namespace")),
        "pod_name": _real(_said("pod")),
        "container_name": _real(_said("container")),
        "controller": _real(_said("controller")),
        "workload": "coalesce(controller, pod_name)",
        "workload_kind": f"CASE WHEN controller IS NOT NULL THEN {_said('controller_kind')} "
        "WHEN pod_name IS NOT NULL THEN 'Pod' END",
        "span_start": f"coalesce(n_window_start, {_instant('start')}, n_date)",
        "span_end": f"coalesce(n_window_end, {_instant('end')}, n_date + INTERVAL 1 DAY)",
        "charge_period_start": "greatest(coalesce(n_start, span_start), span_start)",
        "latest": "least(coalesce(n_end, span_end), span_end)",
        "charge_period_end": "CASE WHEN latest > charge_period_start THEN latest "
        "ELSE charge_period_start + INTERVAL 1 MINUTE END",
        "billing_period_start": "date_trunc('month', charge_period_start)",
        "billing_period_end": "billing_period_start + INTERVAL 1 MONTH",
        "costs": _PARTS_SUM,
        "parts": _list(),
        "told": "list_filter(parts, lambda p: p.cost <> 0 OR p.list <> 0 OR p.quantity > 0)",
        "charged": "CASE WHEN len(told) = 0 THEN parts[1:1] ELSE told END",
        "part_no": "unnest(range(1, len(charged) + 1))",
        "part": "charged[part_no]",
        "billed_cost": "CASE WHEN known THEN part['cost'] END",
        "effective_cost": "billed_cost",
        "contracted_cost": "billed_cost",
        "list_cost": "part['list']",
        "billing_currency": literal(options.currency),
        "billing_account_id": literal(options.account),
        "sub_account_id": "cluster_name",
        "sub_account_name": "cluster_name",
        "provider_name": "'OpenCost'",
        "publisher_name": "'OpenCost'",
        "charge_category": _word([part.charge for part in _PARTS]),
        "charge_frequency": "'Usage-Based'",
        "pricing_category": "'Standard'",
        "service_name": "'Kubernetes'",
        "service_category": _word([part.category for part in _PARTS]),
        "service_subcategory": _word([part.subcategory for part in _PARTS]),
        "sku_meter": _word([part.meter for part in _PARTS]),
        "sku_id": "sku_meter",
        "consumed_unit": _word([part.unit for part in _PARTS]),
        "consumed_quantity": "CASE WHEN consumed_unit IS NOT NULL THEN part['quantity'] END",
        "pricing_unit": "consumed_unit",
        "pricing_quantity": "consumed_quantity",
        "charge_description": f"{_word([part.word for part in _PARTS])} || ' of ' || allocation",
        "resource_id": "coalesce(CASE WHEN workload IS NOT NULL THEN concat_ws('/', "
        "cluster_name, namespace_name, workload_kind, workload) END, allocation)",
        "resource_name": "coalesce(workload, allocation)",
        "resource_type": "CASE WHEN contains(allocation, '__idle__') THEN 'Idle capacity' "
        "WHEN contains(allocation, '__unmounted__') THEN 'Unmounted volume' "
        "ELSE coalesce(workload_kind, 'Allocation') END",
        "tags": tags(
            f"map_concat({_labels('namespaceLabels')}, {_labels('labels')}, "
            f"coalesce(n_labels, {_NO_LABELS}))",
            _NAMES,
        ),
    }


@dataclass(frozen=True)
class OpenCostFormat(BillFormat):
    """An allocation is several charges, one for each of its costs; see docs/billing.md."""

    key: Sequence[str] = (
        "n_name", "cluster_name", "charge_period_start", "charge_period_end", "sku_meter",
    )  # fmt: skip
    partial_key: Sequence[str] = ("cluster_name",)

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. What no charge follows from goes with the first charge of its row."""
        given = {squeeze(column.name): column for column in columns}
        # OpenCost writes null for what is no number, and then the total is none either
        costs = [n for n in ("cpu_cost", "ram_cost", "total_cost") if squeeze(n) in given]
        known = " AND ".join([f"n_{name} IS NOT NULL" for name in costs] or ["false"])
        # a printed double may have more decimals than money: what rounding takes from the parts
        # is in the rest of the total, what it takes from the total is told
        told = {"total_cost"} if "total_cost" in costs else _MONEY_NAMES
        rounded = " + ".join(f"rest_{name}" for name in sorted(told & _COST_NAMES))
        filled = replace(
            self,
            natives=tuple(replace(one, deep=one.name in told) for one in self.natives),
            values={"known": f"({known})", **self.values},
            file_rest=f"CASE WHEN part_no = 1 THEN {rounded} ELSE 0 END",
        )
        view = super(OpenCostFormat, filled).view(columns, files)
        for name in _MONEY_NAMES - told:
            raw = given.get(squeeze(name))
            if raw is not None and is_text(raw):
                view.values[f"n_{name}"] = f"TRY_CAST({raw.sql} AS {DECIMAL})"
        view.extras = [
            replace(one, sql=f"CASE WHEN part_no = 1 THEN {one.sql} END") for one in view.extras
        ]
        return view


def _make(options: OpenCostOptions) -> OpenCostFormat:
    total = f"coalesce(n_total_cost, costs)::{DECIMAL}"
    return OpenCostFormat(
        label="OpenCost allocations",
        natives=_NATIVES,
        values=_values(options),
        file_cost=f"CASE WHEN part_no > 1 THEN 0::{DECIMAL} WHEN known THEN {total} END",
        checks=(
            Check(
                "window_reversed",
                "end",
                "(latest < charge_period_start)",
                "'it ends before it starts'",
            ),
        ),
        notes=(
            (
                "totalCost",
                Note(
                    "total_differs",
                    f"(part_no = 1 AND abs(n_total_cost - costs) > {_ROUNDING})",
                    "A total that is the sum of its parts but for their rounding; what it has "
                    "more or less is a charge by itself (SkuMeter 'Rest of the total')",
                    "Nothing to do for the CSV export, which has no column for some costs.",
                ),
            ),
        ),
    )


OPENCOST = Configurable(OpenCostOptions, _make, documents=True)
"""The format `opencost`."""
