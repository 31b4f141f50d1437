"""What serverless functions did, and what is declared of them.

Facts alone: which of them are too large is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained, ValueLocation
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.optimisation.ground import Declared, Ground

_NUMBERS = (
    "interval_seconds", "invocations", "duration_ms_mean", "duration_ms_p95", "memory_mb",
    "memory_used_mb_max", "provisioned_used_max", "provisioned_utilisation_max",
    "spillover_invocations",
)  # fmt: skip
HISTORY_DAYS = 62
"""How far back a function's other memory sizes are looked for."""
_MEMORY_FIELDS = frozenset({"memorySize", "memory_size", "Properties.MemorySize"})
"""Serverless Framework; Terraform's aws_lambda_function; SAM and CloudFormation."""
_PROVISIONED_FIELDS = frozenset(
    {
        "provisionedConcurrency",
        "Properties.ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions",
    }
)
"""Serverless Framework; SAM, and CloudFormation's versions and aliases."""


@dataclass(frozen=True)
class FunctionUse:
    """One function's measurements of HISTORY_DAYS, one row a time (index `time`, UTC).

    Columns as of `fct_function_measurements`; impossible numbers are missing.
    """

    resource: str
    history: pd.DataFrame
    window: pd.DataFrame
    """Rows of the evidence window."""
    coverage: float

    @property
    def days(self) -> float:
        """Days between first and last measurement of the window."""
        times = pd.DatetimeIndex(self.window.index)
        span: timedelta = times[-1] - times[0]
        return span / timedelta(days=1) + float(self.window["interval_seconds"].median()) / 86400

    @property
    def hours(self) -> int:
        """Hours of the window with a measurement."""
        return int(pd.DatetimeIndex(self.window.index).floor("h").nunique())


@dataclass(frozen=True)
class DeclaredFunction:
    """Its declared memory (MB) and provisioned concurrency, where each is one value."""

    memory: Declared | None = None
    provisioned: Declared | None = None


def function_uses(ground: Ground, measurements: pd.DataFrame) -> list[FunctionUse]:
    """The use of each function (`resource`) up to the day of `ground`.

    `measurements`: columns of `fct_function_measurements`, those not measured may be absent.
    """
    rows = measurements.reindex(columns=["resource", "time", *_NUMBERS], copy=True)
    rows["time"] = pd.to_datetime(rows["time"], utc=True)
    first = pd.Timestamp(day_start(ground.as_of - timedelta(days=HISTORY_DAYS - 1)))
    rows = rows.loc[(rows["time"] >= first) & (rows["time"] < pd.Timestamp(ground.window.end))]
    for column in _NUMBERS:
        values = rows[column].to_numpy(dtype=float, na_value=np.nan)
        rows[column] = np.where(np.isfinite(values) & (values >= 0), values, np.nan)
    rows = rows.drop_duplicates(["resource", "time"], keep="last").sort_values(
        ["resource", "time"], kind="stable"
    )
    length = (ground.window.end - ground.window.start).total_seconds()
    out = []
    for resource, frame in rows.groupby("resource", sort=True):
        history = frame.set_index("time").drop(columns="resource")
        window = history.loc[history.index >= pd.Timestamp(ground.window.start)]
        if len(window):
            coverage = min(1.0, float(window["interval_seconds"].sum()) / length)
            out.append(FunctionUse(str(resource), history, window, coverage))
    return out


def join_billed(
    measured: pd.DataFrame, billed: pd.DataFrame
) -> tuple[pd.DataFrame, list[Abstained]]:
    """`measured` (name, cluster) with `resource` of the one billed function of that name.

    `billed`: resource, resource_id, resource_name of functions. A name that several accounts,
    regions or clusters have is no one's; a function that is not billed costs nothing and is left
    out.
    """
    ids = billed[["resource", "resource_id", "resource_name"]].drop_duplicates()
    names: dict[str, set[str]] = {}
    for resource, resource_id, resource_name in ids.itertuples(index=False, name=None):
        names.setdefault(function_name(resource_id, resource_name), set()).add(str(resource))
    clusters = measured.groupby("name")["cluster"].nunique()
    sure: dict[str, str] = {}
    abstained = []
    for name in sorted(set(measured["name"].dropna()) & names.keys()):
        found = names[name]
        if len(found) == 1 and clusters[name] == 1:
            sure[name] = next(iter(found))
            continue
        reason = f"{len(found)} billed functions and {clusters[name]} measured ones have this name"
        abstained.append(Abstained(subject=f"function {name}", reason=reason))
    rows = measured.loc[measured["name"].isin(sure)]
    return rows.assign(resource=rows["name"].map(sure)), abstained


def function_name(resource_id: object, resource_name: object) -> str:
    """What a function is called: after `:function:` in an ARN, else its billed name, else its id.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    """
    text = str(resource_id)
    if ":function:" in text:
        return text.split(":function:", 1)[1].partition(":")[0]
    return str(resource_name) if isinstance(resource_name, str) and resource_name else text


def declared_functions(locations: Iterable[ValueLocation]) -> Mapping[str, DeclaredFunction]:
    """Resource -> what it declares that may be edited, of every function that declares any."""
    memory: dict[str, Declared] = {}
    provisioned: dict[str, Declared] = {}
    for one in locations:
        if not one.editable:
            continue
        for fields, found in ((_MEMORY_FIELDS, memory), (_PROVISIONED_FIELDS, provisioned)):
            if one.field in fields:
                found[one.resource] = Declared(one.field, one.value, _number(one.value))
    return {
        name: DeclaredFunction(memory.get(name), provisioned.get(name))
        for name in sorted(memory.keys() | provisioned.keys())
    }


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and number > 0 else None
