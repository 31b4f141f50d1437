"""Judges a delivery's raw rows in DuckDB: one pass counts for all rules, then examples of few.

Nothing is read from disk here: who calls has the files open as views.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.quality.conformance.model import Rule, RuleModel
from finops_dagster.quality.conformance.plan import Planned, plan
from finops_dagster.quality.conformance.predicates import (
    WHOLE,
    Column,
    Held,
    asks_for_a_value,
    predicate,
)
from finops_dagster.quality.conformance.verdicts import (
    Example,
    Report,
    Result,
    Supported,
    Verdict,
)

EXAMPLES = 5
_SHOWN = 120
"""Signs of a value shown at most."""
_VALUES = 6
"""Columns of an example shown at most."""

_HINTS = {
    "ColumnPresent": "Have the column exported under exactly this name.",
    "TypeString": "Have the column written as text: ids of digits lose their leading zeros.",
    "TypeDecimal": "Have the column written as numbers.",
    "TypeDateTime": "Have the column written as times.",
    "FormatDateTime": "Have times written in UTC as YYYY-MM-DDTHH:mm:ssZ.",
    "FormatNumeric": "Have numbers written as 12, -0.5 or 1.2E-7: no plus sign, comma or unit.",
    "FormatString": "Have text written as UTF-8, and nothing where there is no value.",
    "FormatUnit": "Have units written as GB, GB-Hours, Requests/Month or 10 Requests.",
    "FormatCurrency": "Have currencies written as ISO 4217 codes, in capitals.",
    "CheckNationalCurrency": "Have the bill made out in a national currency, by its ISO 4217 code.",
    "FormatKeyValue": "Have a JSON object written: unique keys, each with a plain value.",
    "CheckModelRule": "Look at the rules named: this one sums them up.",
    "ColumnByColumnEqualsColumnValue": "Compare price, quantity and cost: a block size or a "
    "currency may lie between them.",
}
_OTHERWISE = "Have these rows corrected at the provider, or allow the rule with a reason."


@dataclass(frozen=True)
class Rows:
    """Files with the same columns as a view with `file_no`, `row_number` and the columns."""

    view: str
    columns: tuple[Column, ...]
    names: Mapping[int, str]
    """`file_no` -> name of the file."""


@dataclass(frozen=True)
class Options:
    """What the one who judges knows beside the file."""

    allowed: Mapping[str, str] = field(default_factory=dict)
    """Rule id -> why it may fail."""
    supports: Mapping[str, bool] = field(default_factory=dict)
    """Applicability criterion -> whether the provider supports it; the rest is told by data."""


@dataclass
class _Counted:
    """Sums over all groups of files."""

    rows: int = 0
    failed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    judged: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    values: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Column -> rows with a value."""
    absent: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Column -> files without it."""
    examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))


class _Group:
    """One group of files and the SQL of every rule over it."""

    def __init__(self, rows: Rows, planned: Sequence[Planned]) -> None:
        self.rows = rows
        by_name: dict[str, Column] = {}
        for column in rows.columns:
            by_name.setdefault(column.name, column)
        self.present = frozenset(by_name)
        used = sorted({c for one in planned for c in one.columns} & self.present)
        self.columns = {name: f"v{place}" for place, name in enumerate(used)}
        self.held = {
            name: Held(self.columns[name], by_name[name].type, by_name[name].text_file)
            for name in used
        }
        given = ", ".join(f"{by_name[name].given} AS {self.columns[name]}" for name in used)
        self.source = (
            f"(SELECT file_no, row_number{', ' + given if given else ''} FROM {rows.view})"
        )

    def missing(self, planned: Planned) -> set[str]:
        """Columns that a rule needs and the files lack; whether one is there may be the rule."""
        asked = {
            check["ColumnName"]
            for check in (planned.requirement.walk() if planned.requirement else ())
            if check.function == "ColumnPresent"
        }
        return set(planned.columns - self.present - asked)

    def condition(self, planned: Planned) -> str:
        parts = [f"({predicate(c, self.held, self.present)})" for c in planned.conditions]
        return " AND ".join(parts)

    def broken(self, planned: Planned) -> str:
        """SQL that is true in rows that break the rule; empty where no row can."""
        assert planned.requirement is not None
        requirement = predicate(planned.requirement, self.held, self.present)
        if requirement == "true" or planned.requirement.function == "ColumnPresent":
            return ""  # no row breaks it: a column that is not there is a matter of the file
        condition = self.condition(planned)
        return f"({condition}) AND NOT ({requirement})" if condition else f"NOT ({requirement})"


def judge(
    connection: duckdb.DuckDBPyConnection,
    subject: str,
    groups: Sequence[Rows],
    model: RuleModel,
    options: Options | None = None,
) -> Report:
    """Every rule of `model` over the rows of `groups`, as they were delivered.

    Raises SettingsError where `options` name a rule or criterion that the model does not have.
    """
    options = options or Options()
    _check_options(options, model)
    dataset = _dataset(model, groups)
    planned = plan(model, dataset)
    counted = _Counted()
    for rows in groups:
        _count(connection, _Group(rows, planned), planned, counted)
    supported = _supported(model, planned, counted, options)
    told = {one.criterion: one.supported for one in supported}
    verdicts = _verdicts(planned, counted, told, options)
    return Report(
        subject=subject,
        model=model.version,
        dataset=dataset or "",
        files=tuple(name for rows in groups for name in rows.names.values()),
        rows=counted.rows,
        verdicts=tuple(verdicts),
        supported=supported,
    )


def _check_options(options: Options, model: RuleModel) -> None:
    unknown = [
        *(("rule", name) for name in options.allowed if name not in model.rules),
        *(("criterion", name) for name in options.supports if name not in model.criteria),
    ]
    if unknown:
        faults = tuple(
            Fault(
                code=f"unknown_{kind}",
                expected=f"A {kind} of the FOCUS {model.version} model; found {name!r}.",
                hint="Correct its spelling; the report lists every one by its id.",
            )
            for kind, name in unknown
        )
        raise SettingsError("The rule model does not have what was named", faults)


def _dataset(model: RuleModel, groups: Sequence[Rows]) -> str | None:
    """The dataset of the model that the columns fit best."""
    columns = {column.name for rows in groups for column in rows.columns}
    fits = {name: len(model.presence(name) & columns) for name in model.datasets}
    return max(fits, key=lambda name: fits[name]) if fits else None


def _count(
    connection: duckdb.DuckDBPyConnection,
    group: _Group,
    planned: Sequence[Planned],
    counted: _Counted,
) -> None:
    """One pass over a group for all rules; then examples of those that fail."""
    names = list(group.columns)
    sums = ["count(*)", *(f"count({group.columns[name]})" for name in names)]
    places: dict[str, int] = {}

    def place(condition: str) -> int:
        if condition not in places:
            places[condition] = len(sums)
            # FILTER would copy every column of the rows it lets through, for each sum anew
            sums.append(f"coalesce(count_if({condition}), 0)")
        return places[condition]

    row_wise: list[tuple[Planned, int | None, int | None, str]] = []
    whole: list[Planned] = []
    for one in planned:
        if one.skip or one.requirement is None or group.missing(one):
            continue
        if any(check.function in WHOLE for check in one.requirement.walk()):
            whole.append(one)
            continue
        condition, broken = group.condition(one), group.broken(one)
        row_wise.append(
            (
                one,
                place(condition) if condition else None,
                place(broken) if broken else None,
                broken,
            )
        )
    found = connection.execute(f"SELECT {', '.join(sums)} FROM {group.source}").fetchone()
    assert found is not None
    counted.rows += found[0]
    for name, value in zip(names, found[1:], strict=False):
        counted.values[name] += value
    for column in {c for one in planned for c in one.columns} - group.present:
        counted.absent[column].update(group.rows.names.values())
    for one, judged, failed, broken in row_wise:
        counted.judged[one.rule.id] += found[0] if judged is None else found[judged]
        if failed is None or not found[failed]:
            continue
        counted.failed[one.rule.id] += found[failed]
        _show(connection, group, one, broken, counted)
    for one in whole:
        _count_whole(connection, group, one, found[0], counted)


def _count_whole(
    connection: duckdb.DuckDBPyConnection,
    group: _Group,
    planned: Planned,
    rows: int,
    counted: _Counted,
) -> None:
    """A rule over all rows of a group of files: those whose value is at fault."""
    check = planned.requirement
    assert check is not None
    condition = group.condition(planned) or "true"
    if check.function == "CheckDistinctCount":
        key = group.held[check["ColumnAName"]].value
        other = group.held[check["ColumnBName"]].value
        wrong = f"count(DISTINCT {other}) <> {int(check['ExpectedCount'])}"
        if int(check["ExpectedCount"]) == 1:  # the same without a set of values per key
            wrong = f"min({other}) IS DISTINCT FROM max({other}) OR count({other}) = 0"
    else:
        key = group.held[check["ColumnName"]].value
        wrong = "count(*) > 1"
    keys = (
        f"SELECT {key} AS at_fault, count(*) AS held FROM {group.source} "
        f"WHERE ({condition}) AND {key} IS NOT NULL GROUP BY 1 HAVING {wrong}"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE at_fault AS {keys}")
    found = connection.execute("SELECT coalesce(sum(held), 0) FROM at_fault").fetchone()
    assert found is not None
    counted.judged[planned.rule.id] += rows
    if found[0]:
        counted.failed[planned.rule.id] += int(found[0])
        broken = f"({condition}) AND {key} IN (SELECT at_fault FROM at_fault)"
        _show(connection, group, planned, broken, counted)
    connection.execute("DROP TABLE at_fault")


def _show(
    connection: duckdb.DuckDBPyConnection,
    group: _Group,
    planned: Planned,
    broken: str,
    counted: _Counted,
) -> None:
    held = counted.examples[planned.rule.id]
    if len(held) >= EXAMPLES:
        return
    first = planned.requirement.columns if planned.requirement else frozenset()
    names = sorted(first & group.present) + sorted((planned.columns - first) & group.present)
    names = names[:_VALUES]
    values = "".join(f", left({group.held[n].text}, {_SHOWN + 1})" for n in names)
    rows = connection.execute(
        f"SELECT file_no, row_number{values} FROM {group.source} WHERE {broken} "
        f"LIMIT {EXAMPLES - len(held)}"
    ).fetchall()
    for file_no, row, *found in rows:
        held.append(
            Example(
                file=group.rows.names[file_no],
                row=row,
                values={n: _cut(v) for n, v in zip(names, found, strict=True)},
            )
        )


def _cut(value: str | None) -> str | None:
    if value is None or len(value) <= _SHOWN:
        return value
    return value[:_SHOWN] + "…"


def _supported(
    model: RuleModel, planned: Sequence[Planned], counted: _Counted, options: Options
) -> tuple[Supported, ...]:
    """Which criteria hold of the provider: as told, else as its columns show.

    A column whose every rule is bound to a criterion shows by a value that it is supported. That
    none has a value shows nothing.
    """
    of_column: dict[str, frozenset[str]] = {}
    for one in planned:
        if one.rule.criteria:
            held = frozenset(one.rule.criteria)
            of_column[one.rule.reference] = of_column.get(one.rule.reference, held) & held
    found = []
    for criterion, description in model.criteria.items():
        columns = sorted(name for name, held in of_column.items() if criterion in held)
        seen = [name for name in columns if counted.values[name]]
        if criterion in options.supports:
            told = options.supports[criterion]
            found.append(Supported(criterion, description, told, "as told"))
        elif seen:
            how = f"{seen[0]} has values"
            found.append(Supported(criterion, description, True, how))
        else:
            how = f"no value in {', '.join(columns)}" if columns else "no column stands for it"
            found.append(Supported(criterion, description, None, how))
    return tuple(found)


def _verdicts(
    planned: Sequence[Planned],
    counted: _Counted,
    supported: Mapping[str, bool | None],
    options: Options,
) -> list[Verdict]:
    by_id = {one.rule.id: one for one in planned}
    made: dict[str, Verdict] = {}

    def verdict(rule_id: str) -> Verdict:
        if rule_id not in made:
            one = by_id[rule_id]
            parts = [verdict(child) for child in one.rule.children if child in by_id]
            made[rule_id] = _verdict(one, parts, counted, supported, options)
        return made[rule_id]

    return [verdict(one.rule.id) for one in planned]


def _verdict(
    planned: Planned,
    parts: Sequence[Verdict],
    counted: _Counted,
    supported: Mapping[str, bool | None],
    options: Options,
) -> Verdict:
    rule = planned.rule
    failed = counted.failed.get(rule.id, 0)
    reason = _unjudged(planned, counted, supported)
    result: Result = "skipped" if reason else "fail" if failed else "pass"
    rows: int | None = None if reason else failed
    judged = None if reason else counted.judged.get(rule.id, 0)
    present = planned.requirement is not None and planned.requirement.function == "ColumnPresent"
    if not reason and rule.children and not rule.alternatives:
        result, reason, rows, judged = *_summed(parts, failed), None, None
    elif present and not reason:
        # of a column that is not there every row is at fault, or none: files are what counts
        files = sorted(counted.absent.get(rule.reference, ()))
        result, rows, judged = ("fail" if files else "pass"), None, None
        reason = f"Not in {', '.join(files[:3])}." if files else ""
    if result == "fail" and rule.id in options.allowed:
        result, reason = "allowed", options.allowed[rule.id]
    return Verdict(
        rule=rule.id,
        column=rule.reference,
        function=rule.function,
        keyword=rule.keyword,
        verdict=result,
        rows=rows,
        judged=judged,
        examples=tuple(counted.examples.get(rule.id, ())),
        text=rule.text,
        reason=reason,
        note=planned.note if result != "skipped" else "",
        hint=_hint(rule) if result == "fail" else "",
    )


def _hint(rule: Rule) -> str:
    called = [check.function for check in rule.requirement.walk()] if rule.requirement else []
    return next((_HINTS[name] for name in called if name in _HINTS), _OTHERWISE)


def _summed(parts: Sequence[Verdict], failed: int) -> tuple[Result, str]:
    """A composite by its parts: a MUST among them that fails fails it."""
    broken = [one.rule for one in parts if one.verdict == "fail" and one.binding]
    if broken or failed:
        return "fail", f"Fails in {', '.join(broken)}."
    if all(one.verdict == "skipped" for one in parts):
        return "skipped", "None of the rules it is made of could be judged."
    return "pass", ""


def _unjudged(planned: Planned, counted: _Counted, supported: Mapping[str, bool | None]) -> str:
    """Why a rule says nothing of this delivery; empty where it does."""
    if planned.skip:
        return planned.skip
    against = sorted(c for c in planned.criteria if supported.get(c) is False)
    if against:
        return f"Does not apply: the provider does not support {', '.join(against)}."
    unknown = sorted(c for c in planned.criteria if supported.get(c) is None)
    if unknown:
        return f"Nothing tells whether the provider supports {', '.join(unknown)}."
    check = planned.requirement
    if check is None or check.function == "ColumnPresent":
        return ""
    missing = sorted(c for c in planned.columns if counted.absent.get(c))
    if missing and not any(c.function == "ColumnPresent" for c in check.walk()):
        return f"Not in every file: {', '.join(missing)}."
    if not counted.rows:
        return "There are no rows."
    if not counted.judged.get(planned.rule.id):
        return "No row meets its condition."
    if asks_for_a_value(check) and not any(counted.values[c] for c in check.columns):
        return f"No value to judge in {', '.join(sorted(check.columns))}."
    return ""
