"""The columns of one group of files as values of the table, by what a schema says of each.

Which of them a table takes is in `declared_logs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import Column, LogicalType
from finops_dagster.sources.columns import parse, value_checks
from finops_dagster.sources.parsing import (
    RawColumn,
    as_text,
    identifier,
    is_nested,
    literal,
    one_of,
)
from finops_dagster.sources.prediction_schema import (
    UNKNOWN,
    Answer,
    Feature,
    Group,
    LogSchema,
    Moment,
)
from finops_dagster.sources.text_files import unnumbered
from finops_dagster.sources.times import read_time
from finops_dagster.sources.views import PROVENANCE, Check, View

_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


@dataclass
class LogReader:
    """Builds the view of one group of files."""

    schema: LogSchema
    columns: Sequence[RawColumn]
    files: str
    view: View = field(default_factory=View)
    only: list[str] = field(default_factory=list)

    def find(self, name: str) -> RawColumn | None:
        """The column of that name, or the key b of a column a for the name a.b."""
        for column in self.columns:
            if column.name == name:
                return column
        outer, dot, key = name.partition(".")
        if not dot:
            return None
        for column in self.columns:
            if column.name == outer:
                path = literal("$" + "".join(f'."{part}"' for part in key.split(".")))
                return RawColumn(name, f"try(({as_text(column)})::JSON ->> {path})", "VARCHAR")
        return None

    def column(self, name: str, *, plain: bool = True) -> RawColumn:
        """The column; where it is absent or of no use, a fault, and a column of nothing."""
        found = self.find(name)
        nothing = RawColumn(name, "NULL::VARCHAR", "VARCHAR")
        if found is None:
            self._fault(
                "column_missing",
                name,
                "A column of this name: the log's schema names it.",
                "Correct its name in the schema, or have the column logged.",
            )
            return nothing
        if plain and (is_nested(found) or found.type == "BLOB"):
            self._fault(
                "column_type",
                name,
                f"A column of plain values; it holds {found.type[:60]}.",
                "Name a key of it, as in a.b, or have it logged as a plain value.",
            )
            return nothing
        if any(unnumbered(one.name) == name and one.name != name for one in self.columns):
            self._fault(
                "column_repeated",
                name,
                "The column once; the file has it twice, and nothing says which is meant.",
                "Have each column logged once.",
            )
        return found

    def start(self) -> None:
        """What every answer has: model, version, id, time."""
        version = self.schema.version
        if version.column is None:
            self.view.values["model_version"] = literal(str(version.constant))
        else:
            self._parsed("model_version", self.column(version.column), LogicalType.STRING, True)
        self.time("time", self.schema.time)
        self.identify(None)

    def identify(self, column: str | None) -> None:
        """Model, id, and which rows are of the model."""
        self.view.values["model"] = literal(self.schema.model)
        if column is None and self.schema.id is not None:
            column = self.schema.id.column
        if column is not None:
            self._parsed("prediction_id", self.column(column), LogicalType.STRING, True)
        else:
            self._content_id()
        if (rows := self.schema.rows) is not None:
            text = as_text(self.column(rows.column))
            self.only.append(f"({text} = {literal(rows.value)})")

    def _content_id(self) -> None:
        """Rows without an id are told apart by what was asked and said, equal ones by a count.

        Equal rows are interchangeable, so that which of them is the first changes nothing.
        """
        schema = self.schema
        names = [
            schema.time.column,
            schema.version.column,
            *(one.source for one in (*schema.features, *schema.groups)),
            schema.prediction.column,
            schema.probability.column if schema.probability else None,
        ]
        texts = [as_text(self.column(one)) for one in dict.fromkeys(names) if one is not None]
        self.view.values["n_content"] = f"sha256(to_json([{', '.join(texts)}])::VARCHAR)"
        self.view.values["n_equal"] = (
            "row_number() OVER (PARTITION BY n_content ORDER BY file_no, row_number)"
        )
        self.view.values["prediction_id"] = "n_content || '-' || n_equal"
        self.view.reorders = True

    def time(self, name: str, moment: Moment) -> None:
        """An instant, by what the schema says of it."""
        column = self.column(moment.column) if moment.column is not None else None
        read = read_time(name, moment, column)
        if read.zoneless:
            self._fault(
                "time_without_zone",
                str(moment.column),
                "Times with their zone; the column holds times without one.",
                "Say `timezone` under its time in the schema.",
            )
        self.view.values.update(read.values)
        self.view.checks.extend(read.checks)

    def number(self, name: str, column: str, factor: float = 1.0, *, whole: bool = False) -> str:
        """A number; a gap stays one."""
        raw = self._numeric(self.column(column))
        kind = LogicalType.INTEGER if whole else LogicalType.FLOAT
        self._parsed(name, raw, kind, False)
        if factor != 1.0:
            self.view.values[name] = f"({self.view.values[name]}) * {factor!r}::DOUBLE"
        return name

    def feature(self, one: Feature, place: int) -> str:
        """An input, as a number or as a word."""
        name, raw = f"n_feature_{place}", self.column(one.source)
        if one.type == "number":
            return self.number(name, one.source)
        text = self._text(raw)
        if one.type == "boolean":
            low = f"lower({text})"
            self.view.values[name] = (
                f"CASE WHEN {one_of(low, _TRUE)} THEN 1.0 WHEN {one_of(low, _FALSE)} THEN 0.0 "
                "END::DOUBLE"
            )
            self._unknown("boolean_unreadable", raw, text, name, "is neither true nor false")
            return name
        if one.values is None:
            self.view.values[name] = text
            return name
        self.view.values[name] = _coded(text, one.values)
        self._unknown("category_unknown", raw, text, name, "is no category of the schema")
        return name

    def group(self, one: Group, place: int) -> str:
        """A protected group, by its word."""
        name = f"n_group_{place}"
        raw = self.column(one.source)
        if one.values is not None:
            text = self._text(raw)
            value = _coded(text, one.values)
        else:
            assert one.bands is not None  # the schema has either
            number = self.number(f"n_banded_{place}", one.source)
            text = f"{number}::VARCHAR"
            cases = "".join(
                f" WHEN {number} < {limit!r}::DOUBLE THEN {literal(word)}"
                for limit, word in zip(one.bands, one.words, strict=False)
            )
            value = f"CASE WHEN {number} IS NULL THEN NULL{cases} ELSE {literal(one.words[-1])} END"
        if self.schema.missing_group == "unknown":
            value = f"CASE WHEN ({text}) IS NULL THEN {literal(UNKNOWN)} ELSE {value} END"
        else:
            self.check(
                "group_missing",
                raw.name,
                f"(({text}) IS NULL)",
                literal(f"the row has no {one.name}; missing_group: unknown would keep it"),
            )
        self.view.values[name] = value
        self._unknown("group_unknown", raw, text, name, f"is no {one.name} of the schema")
        return name

    def answer(self, name: str, answer: Answer) -> str:
        """What was said or true, as a number. Returns SQL that is true where it is given."""
        raw = self.column(answer.column)
        text = self._text(raw)
        if answer.values is not None:
            codes = {code: str(value) for code, value in answer.values.items()}
            self.view.values[name] = f"({_coded(text, codes)})::DOUBLE"
            self._unknown("class_unknown", raw, text, name, "is no class of the schema")
        else:
            self.number(name, answer.column)
            if self.schema.task == "classification":
                self.check(
                    "class_unknown",
                    raw.name,
                    f"({name} NOT IN (0, 1))",
                    f"quoted({text}) || ' is neither 0 nor 1; name classes by `values`'",
                )
        self.check(
            "value_missing", raw.name, f"(({text}) IS NULL)",
            literal("the row is useless without a value"),
        )  # fmt: skip
        return f"(({text}) IS NOT NULL)"

    def check(self, code: str, column: str, condition: str, sentence: str) -> None:
        self.view.checks.append(Check(code, column, condition, sentence))

    def finished(self, columns: Sequence[Column]) -> View:
        """The view, with nothing in columns that the schema does not speak of."""
        view = self.view
        for column in columns:
            if column.name not in (*PROVENANCE, *view.values):
                view.values[column.name] = parse(column, None).sql
        view.only = " AND ".join(self.only) or "true"
        view.known = self.schema.columns
        view.words = self.schema.words
        left = sum(not self._is_named(one.name) for one in self.columns)
        if left:
            view.tolerated.append(
                Fault(
                    code="column_unknown",
                    file=self.files,
                    expected=f"Only columns that the schema names; {left} other(s) were left out.",
                    hint="Nothing to do.",
                )
            )
        return view

    def _is_named(self, name: str) -> bool:
        return any(one == name or one.startswith(f"{name}.") for one in self.schema.columns)

    def _parsed(self, name: str, raw: RawColumn, type_: LogicalType, required: bool) -> None:
        column = Column(name=name, type=type_, description="", nullable=not required)
        parsed = parse(column, raw)
        self.view.values[name] = parsed.sql
        self.view.notes.extend((raw.name, note) for note in parsed.notes)
        self.view.checks.extend(value_checks(column, raw.name, parsed))

    def _numeric(self, raw: RawColumn) -> RawColumn:
        if not raw.type.startswith(("TIME", "DATE", "INTERVAL", "UUID")):
            return raw
        self._fault(
            "column_type",
            raw.name,
            f"A column of numbers; it holds {raw.type}.",
            "Correct the schema, or have numbers logged.",
        )
        return RawColumn(raw.name, "NULL::VARCHAR", "VARCHAR")

    def _text(self, raw: RawColumn) -> str:
        """A code or a word: text, digits of whole numbers, empty text as nothing."""
        column = Column(name=raw.name, type=LogicalType.STRING, description="")
        return f"nullif(trim({parse(column, raw).sql}), '')"

    def _unknown(self, code: str, raw: RawColumn, text: str, name: str, wanted: str) -> None:
        self.check(
            code,
            raw.name,
            f"(({text}) IS NOT NULL AND {name} IS NULL)",
            f"quoted({text}) || {literal(f' {wanted}')}",
        )

    def _fault(self, code: str, column: str, expected: str, hint: str) -> None:
        fault = Fault(code=code, file=self.files, column=column, expected=expected, hint=hint)
        if fault not in self.view.faults:
            self.view.faults.append(fault)


def _coded(text: str, words: dict[str, Any]) -> str:
    """SQL of the word of a code; null of any other text."""
    cases = " ".join(f"WHEN {literal(code)} THEN {literal(w)}" for code, w in words.items())
    return f"CASE {text} {cases} END"


def as_map(entries: Sequence[tuple[str, str]], type_: str) -> str:
    """SQL of a map from names to values, which are names of columns."""
    names = ", ".join(literal(name) for name, _ in entries)
    values = ", ".join(identifier(value) for _, value in entries)
    return f"MAP([{names}]::VARCHAR[], [{values}]::{type_}[])"
