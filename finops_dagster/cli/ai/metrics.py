"""`finops ai metrics`: quality, fairness and drift of a model from two tables.

What is computed of them is said in responsible_ai, how files are read in `tables`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import typer

from finops_dagster.cli.ai.tables import read_document, read_table
from finops_dagster.cli.common import AsJson, command
from finops_dagster.cli.output import console, envelope, plain, print_json, print_table
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import Fault, SettingsError

Patterns = list[str] | None


@command("ai_metrics")
def ai_metrics(
    reference: Annotated[Path, typer.Option(help="Parquet or CSV of the reference window.")],
    schema: Annotated[Path, typer.Option(help="JSON or YAML: which column means what.")],
    analysis: Annotated[
        Path | None,
        typer.Option(
            help="Parquet or CSV of the window judged; without it --reference holds both, as "
            "`window` of the schema says."
        ),
    ] = None,
    metric: Annotated[
        Patterns, typer.Option(help="Show only this metric, such as 'selection_*'. Repeatable.")
    ] = None,
    segment: Annotated[
        Patterns, typer.Option(help="Show only this segment, such as 'SEX*'. Repeatable.")
    ] = None,
    smallest_group: Annotated[
        int, typer.Option(min=5, help="People that a group must have to be shown.")
    ] = 20,
    mitigation: Annotated[
        bool, typer.Option("--mitigation", help="Try what would make groups more alike.")
    ] = False,
    error_cost: Annotated[
        str, typer.Option(help="Money of one wrong answer, such as '12.50 EUR', for --mitigation.")
    ] = "",
    as_json: AsJson = False,
) -> int:
    """Quality, fairness and drift of a model from two tables, with intervals."""
    from finops_dagster.responsible_ai import MetricFault, MetricSchema, metrics, mitigations

    cost = _cost(error_cost)
    try:
        meaning = MetricSchema.parse(read_document(schema))
    except MetricFault as fault:
        raise _told(fault, schema, "schema") from None
    if analysis is None and meaning.window is None:
        raise SettingsError(
            "There is no analysis window.",
            (
                Fault(
                    code="no_analysis",
                    file=str(schema),
                    expected="Expected --analysis FILE, or `window` in the schema; found neither.",
                    hint="Add window: {column, reference, analysis} where one file holds both.",
                ),
            ),
        )
    files = {"reference": reference, "analysis": analysis or reference}
    tables = {name: read_table(path) for name, path in files.items()}
    try:
        rows, abstained = metrics(
            tables["reference"], tables["analysis"], meaning, smallest_group=smallest_group
        )
        tried: Sequence[Any] = ()
        if mitigation:
            tried, refused = mitigations(
                tables["reference"],
                tables["analysis"],
                meaning,
                smallest_group=smallest_group,
                error_cost=cost,
            )
            abstained = (*abstained, *refused)
    except MetricFault as fault:
        raise _told(fault, files.get(fault.window, schema), "table") from None
    shown = [row for row in rows if _asked(row.metric, metric) and _asked_segment(row, segment)]
    if as_json:
        items = [asdict(row) for row in shown]
        answer = envelope("ai_metrics", items, abstained=abstained)
        if mitigation:
            answer["mitigation"] = plain([asdict(one) for one in tried])
        print_json(answer)
        return 0
    _print(shown, tried, abstained)
    return 0


def _told(fault: Any, file: Path, code: str) -> SettingsError:
    return SettingsError(
        f"{file} cannot be used.",
        (
            Fault(
                code=code,
                file=str(file),
                column=fault.column,
                expected=f"{str(fault)[:1].upper()}{str(fault)[1:]}.",
                hint=fault.hint or "docs/fairness.md has the keys and examples.",
            ),
        ),
    )


def _cost(text: str) -> tuple[Decimal, str] | None:
    if not text:
        return None
    amount, _, currency = text.strip().partition(" ")
    try:
        value = Decimal(amount)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or not (len(currency) == 3 and currency.isupper()):
        raise SettingsError(f"--error-cost is AMOUNT CURRENCY, such as '12.50 EUR'; not {text!r}.")
    return value, currency


def _asked(name: str, patterns: Patterns) -> bool:
    return not patterns or any(fnmatchcase(name, one) for one in patterns)


def _asked_segment(row: Any, patterns: Patterns) -> bool:
    return _asked(row.segment, patterns) or _asked(row.segment.removeprefix("reference/"), patterns)


_MOST = 40
"""Groups or columns of one table above which the rest is counted and not printed."""
_OF_GROUPS = {
    "selection_rate": "select",
    "selection_ratio": "ratio",
    "true_positive_rate": "TPR",
    "false_positive_rate": "FPR",
    "precision": "prec",
    "accuracy": "acc",
    "calibration_error": "ECE",
    "mean_absolute_error": "mean abs. error",
    "mean_error": "mean error",
    "drift_psi": "PSI",
    "drift_p_adjusted": "p adjusted",
}
"""Figure of one group or one column -> the head of its column."""


def _print(rows: Sequence[Any], tried: Sequence[Any], abstained: Sequence[Abstained]) -> None:
    """The whole first, then each attribute: how its groups differ, and the groups; then drift."""
    pairs: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        segment = row.segment.removeprefix("reference/")
        pairs.setdefault((_title(row.metric, segment), segment, row.metric), {})[row.window] = row
    for title in sorted({title for title, _, _ in pairs}, key=_order):
        mine = {(s, metric): pair for (t, s, metric), pair in pairs.items() if t == title}
        whole = {key: pair for key, pair in mine.items() if key[1] not in _OF_GROUPS or
                 key[0] == "all"}  # fmt: skip
        if whole:
            print_table(
                title,
                ("metric", "value", "95 % interval", "reference value"),
                [
                    (metric, _figure(pair, "analysis"), _ends(pair), _figure(pair, "reference"))
                    for (_, metric), pair in whole.items()
                ],
            )
        _print_groups(title, {key: pair for key, pair in mine.items() if key not in whole})
    if tried:
        print_table(
            "mitigation: fitted on the reference window, tried on the analysis window",
            ("attribute", "way", "selected differs by", "error rates differ by", "accuracy value",
             "more wrong of 1000", "cost of 1000"),
            [_mitigation(one) for one in tried],
        )  # fmt: skip
    if abstained:
        print_table(
            "not judged or not shown", ("what", "why"), [(a.subject, a.reason) for a in abstained]
        )


def _print_groups(title: str, pairs: Mapping[tuple[str, str], dict[str, Any]]) -> None:
    """A row for each group or column, a column for each of its figures in the analysis window."""
    segments: dict[str, dict[str, Any]] = {}
    for (segment, metric), pair in pairs.items():
        if "analysis" in pair:
            segments.setdefault(segment, {})[metric] = pair["analysis"]
    if not segments:
        return
    names = [n for n in _OF_GROUPS if any(n in found for found in segments.values())]
    print_table(
        f"{title}, {'columns' if title == 'drift' else 'groups'} (analysis window)",
        ("segment", *(_OF_GROUPS[name] for name in names), "rows"),
        [
            (segment, *(f"{found[n].value:.3f}" if n in found else "" for n in names),
             f"{_any(found).rows:,}")
            for segment, found in list(segments.items())[:_MOST]
        ],
    )  # fmt: skip
    if len(segments) > _MOST:
        console().print(
            f"{len(segments) - _MOST} more; --segment and --json show them.\n", markup=False
        )


def _title(metric: str, segment: str) -> str:
    if metric.startswith("drift"):
        return "drift"
    if segment == "all":
        return "quality"
    names = (
        [part.partition("=")[0] for part in segment.split(", ")] if "=" in segment else [segment]
    )
    return "fairness: " + " and ".join(names)


def _order(title: str) -> tuple[int, int, str]:
    """The whole first, then attributes, then their intersections, then drift."""
    place = 0 if title == "quality" else 2 if title == "drift" else 1
    return place, title.count(" and "), title


def _any(pair: Mapping[str, Any]) -> Any:
    return next(iter(pair.values()))


def _figure(pair: Mapping[str, Any], window: str) -> str:
    return f"{pair[window].value:.4f}" if window in pair else ""


def _ends(pair: Mapping[str, Any]) -> str:
    row = pair.get("analysis")
    if row is None or row.low is None or row.high is None:
        return ""
    return f"{row.low:.4f} to {row.high:.4f}"


def _mitigation(one: Any) -> tuple[str, ...]:
    def change(name: str) -> str:
        before, after = getattr(one.before, name), getattr(one.after, name)
        shown = (f"{each.value:.3f}" if each is not None else "?" for each in (before, after))
        return " -> ".join(shown)

    return (
        one.attribute,
        one.method if one.method == "reweighing" else f"{one.method}, {one.aim}",
        change("demographic_parity_difference"),
        change("equalized_odds_difference"),
        f"{one.accuracy_before:.4f} -> {one.accuracy_before + one.accuracy_change.value:.4f}",
        f"{one.wrong_per_thousand:+.1f}",
        one.cost,
    )
