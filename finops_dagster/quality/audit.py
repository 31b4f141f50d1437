"""Runs suites with Great Expectations and turns its results into outcomes.

What is expected is in `marts` and `landing`; what follows from a failure is the caller's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.deliveries import Landed
from finops_dagster.quality import deliveries as delivered
from finops_dagster.quality.checks import Check, Suite, standard
from finops_dagster.quality.expectations import (
    EXAMPLES,
    batch_definition,
    observed,
    raised,
    validate,
)
from finops_dagster.quality.frames import FrameUnavailableError, Table
from finops_dagster.quality.landing import CONTROL_SUMS, DELIVERY_CHECKS, LANDING
from finops_dagster.quality.marts import MARTS
from finops_dagster.quality.outcomes import AuditContext, AuditResult, LandingLimits, Outcome

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition

_BY_ENDS = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_between")
"""Checks for which least, greatest and missing stand for all values."""
_PAIR = ("column_A", "column_B")


def judge_candidates(
    mart: str, parquet_files: Sequence[Path], context: AuditContext | None = None
) -> AuditResult:
    """Judge candidate files of one mart, all its partitions together.

    Raises KeyError for a mart without a suite. Nothing is written. Rows are reduced where they
    lie (`frames`); only a column that fails is read whole, to count and show what is wrong.
    """
    suite = MARTS[mart]
    context = context or AuditContext()
    checks = [_dated(check, context) for check in standard(suite)]
    with Table(tuple(parquet_files), context.related) as table:
        run = _Run(suite, table)
        run.given["partitions"] = lambda: _partitions(table, suite, context)
        run.given["freshness"] = lambda: _freshness(table, suite, context)
        return run.judge(checks)


def judge_landing(
    table: str,
    parquet_files: Sequence[Path],
    landed: Sequence[Landed],
    limits: LandingLimits | None = None,
) -> AuditResult:
    """Judge what landed of a table: the rows in its files, and the deliveries they came in.

    `parquet_files` hold the rows of exactly the deliveries in `landed` (a delivery with a set
    fault has none). Raises KeyError for a table that is not a landing table.
    """
    limits = limits or LandingLimits()
    suite = LANDING[table]
    checks: list[Check] = []
    if parquet_files:
        skipped = {"has_rows", "rows_against_previous", "newest_is_fresh"}
        checks += [check for check in standard(suite) if check.name not in skipped]
    checks += [check for check in DELIVERY_CHECKS if suite.money or check.frame == "deliveries"]
    with Table(tuple(parquet_files)) as rows:
        run = _Run(suite, rows)

        def deliveries() -> pd.DataFrame:
            in_files = rows.partitions("delivery_id") if parquet_files else {}
            return delivered.deliveries(landed, in_files, limits, bool(suite.money))

        def control_totals() -> pd.DataFrame:
            if not any(one.delivery.control_totals for one in landed):
                raise FrameUnavailableError("no delivery came with control totals")
            if not parquet_files:
                raise FrameUnavailableError("no rows landed")
            return delivered.control_totals(landed, rows.made(CONTROL_SUMS), limits)

        run.given["deliveries"] = deliveries
        run.given["delivered_cost"] = lambda: delivered.costs(landed, limits)
        run.given["control_totals"] = control_totals
        return run.judge(checks)


def _dated(check: Check, context: AuditContext) -> Check:
    if check.name != "newest_is_fresh":
        return check
    return replace(check, kwargs={"max_value": context.max_age_days})


def _freshness(table: Table, suite: Suite, context: AuditContext) -> pd.DataFrame:
    if context.as_of is None:
        raise FrameUnavailableError("no day to be fresh for was given")
    days = [day for day in map(_day, table.partitions(suite.partition)) if day is not None]
    if not days:
        raise FrameUnavailableError("there are no rows")
    # A billing period is as fresh as it is open: its first day says little, its month does.
    newest = max(days)
    reached = context.as_of if _covers(suite, newest, context.as_of) else newest
    return pd.DataFrame(
        {"newest": [newest.isoformat()], "days_before_as_of": [(context.as_of - reached).days]}
    )


def _covers(suite: Suite, newest: date, as_of: date) -> bool:
    same_month = (newest.year, newest.month) == (as_of.year, as_of.month)
    return suite.partition == "billing_period" and same_month


def _partitions(table: Table, suite: Suite, context: AuditContext) -> pd.DataFrame:
    counted = table.partitions(suite.partition) if table.types else {}
    found: dict[date, int] = {}
    for key, count in counted.items():
        day = _day(key)
        if day is not None:
            found[day] = count
    days = sorted({*found, *context.partitions})
    if not days:
        raise FrameUnavailableError("there are no rows and no partition was asked for")
    rows = [found.get(day, 0) for day in days]
    previous = [context.previous_rows.get(day) for day in days]
    return pd.DataFrame(
        {
            suite.partition: [day.isoformat() for day in days],
            "rows": rows,
            "rows_to_previous": [
                now / before if before else None for now, before in zip(rows, previous, strict=True)
            ],
        }
    ).astype({"rows_to_previous": "float64"})


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None


class _Run:
    """One audit of one table: groups checks by the frame they need, so each is made once."""

    def __init__(self, suite: Suite, table: Table) -> None:
        self.suite = suite
        self.table = table
        self.given: dict[str, Callable[[], pd.DataFrame]] = {}
        self.results: list[Mapping[str, Any]] = []
        self.abstained: list[Abstained] = []

    def judge(self, checks: Sequence[Check]) -> AuditResult:
        batch = batch_definition()
        grouped: dict[tuple[str, str | None, bool], list[Check]] = defaultdict(list)
        for check in checks:
            grouped[check.frame, check.where, check.column is None].append(check)
        judged: dict[str, Outcome] = {}
        for (frame, where, _), group in grouped.items():
            if frame == "rows":
                outcomes = self._rows(batch, group, where)
            else:
                outcomes = self._made(batch, group, frame)
            judged.update((outcome.name, outcome) for outcome in outcomes)
        ordered = tuple(
            judged[name]
            for name in (f"{self.suite.table}.{check.name}" for check in checks)
            if name in judged
        )
        return AuditResult(
            table=self.suite.table,
            rows=self.table.rows,
            success=bool(ordered) and all(o.success or o.severity == "warn" for o in ordered),
            outcomes=ordered,
            abstained=tuple(self.abstained),
            results=tuple(self.results),
        )

    def _rows(
        self, batch: BatchDefinition[Any], checks: Sequence[Check], where: str | None
    ) -> Iterable[Outcome]:
        if not self.table.types:
            for check in checks:
                self._abstain(check, "there are no files")
            return
        there = []
        for check in checks:
            missing = _missing(check, self.table.types)
            if missing:
                yield self._failed(check, f"column {', '.join(missing)} is missing")
            else:
                there.append(check)
        if there and there[0].column is None:
            for check in there:
                yield from self._searched(
                    batch, self.table.distinct(_columns(check), where), [check], where
                )
        elif there:
            wanted: dict[str, bool] = {}
            for check in there:
                name = _columns(check)[0]
                wanted[name] = wanted.get(name, False) or check.expectation not in _BY_ENDS
            yield from self._searched(batch, self.table.values(wanted, where), there, where)

    def _searched(
        self,
        batch: BatchDefinition[Any],
        values: pd.DataFrame,
        checks: Sequence[Check],
        where: str | None,
    ) -> Iterable[Outcome]:
        """Judge values that stand for all rows; look at every row only where those fail."""
        for outcome, check in zip(
            self._outcomes(batch, values, checks, None, from_rows=False), checks, strict=True
        ):
            if outcome.success:
                yield replace(outcome, observed="holds in every row")
            else:
                rows = self.table.column_rows(_columns(check), where)
                yield from self._outcomes(batch, rows, [check], where, from_rows=True)

    def _made(
        self, batch: BatchDefinition[Any], checks: Sequence[Check], name: str
    ) -> Iterable[Outcome]:
        try:
            frame = self._frame(name)
        except FrameUnavailableError as reason:
            for check in checks:
                self._abstain(check, str(reason))
            return
        yield from self._outcomes(batch, frame, checks, None, from_rows=False)

    def _frame(self, name: str) -> pd.DataFrame:
        if name in self.given:
            return self.given[name]()
        if name in self.suite.frames:
            return self.table.made(self.suite.frames[name])
        if name == "grain":
            return self.table.grain(self.suite.grain)
        schema = self.table.schema()
        if name == "schema":
            return schema
        if name == "money":
            return schema[schema["column_name"].isin(self.suite.money)].reset_index(drop=True)
        raise KeyError(f"{self.suite.table} has no frame {name}")

    def _abstain(self, check: Check, reason: str) -> None:
        subject = f"{self.suite.table}.{check.name}"
        self.abstained.append(Abstained(subject=subject, reason=reason))

    def _failed(self, check: Check, observed: str) -> Outcome:
        return Outcome(
            name=f"{self.suite.table}.{check.name}",
            expectation=check.expectation,
            column=", ".join(_columns(check)),
            success=False,
            severity=check.severity,
            observed=observed,
            unexpected_count=self.table.rows,
            examples=(),
            hint=check.hint,
        )

    def _outcomes(
        self,
        batch: BatchDefinition[Any],
        frame: pd.DataFrame,
        checks: Sequence[Check],
        where: str | None,
        *,
        from_rows: bool,
    ) -> Iterable[Outcome]:
        name = f"{self.suite.table}.{checks[0].frame}"
        whole, results = validate(name, batch, frame, checks)
        self.results.append(whole)
        for check, result in zip(checks, results, strict=True):
            detail = result["result"]
            fault = raised(result)
            examples: tuple[Mapping[str, str], ...] = ()
            if not result["success"] and not fault:
                positions = detail.get("partial_unexpected_index_list") or []
                examples = tuple(self._examples(frame, check, positions, where, from_rows))
            yield Outcome(
                name=f"{self.suite.table}.{check.name}",
                expectation=check.expectation,
                column=", ".join(_columns(check)),
                success=bool(result["success"]),
                severity=check.severity,
                observed=fault or observed(detail),
                unexpected_count=int(detail.get("unexpected_count") or (not result["success"])),
                examples=examples,
                hint=check.hint,
            )

    def _examples(
        self,
        frame: pd.DataFrame,
        check: Check,
        positions: Sequence[int],
        where: str | None,
        from_rows: bool,
    ) -> list[dict[str, str]]:
        shown = list(positions)[:EXAMPLES]
        if from_rows:
            names = list(dict.fromkeys([*self.suite.grain, *_columns(check)]))
            return self.table.rows_at(shown, names, where)
        rows = frame.iloc[shown].astype(object)
        return [
            {str(name): "" if pd.isna(value) else str(value) for name, value in row.items()}
            for row in rows.to_dict("records")
        ]


def _columns(check: Check) -> list[str]:
    if check.column is not None:
        return [check.column]
    return [str(check.kwargs[key]) for key in _PAIR]


def _missing(check: Check, types: Mapping[str, str]) -> list[str]:
    return [name for name in _columns(check) if name not in types]
