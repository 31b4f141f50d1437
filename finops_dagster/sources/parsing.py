"""SQL that turns a raw column into a typed value, with what to count and what to fault on the way.

One function per logical type; each knows the shapes that files deliver that type in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from finops_dagster.domain.money import MONEY_PRECISION, MONEY_SCALE
from finops_dagster.sources.decimal_marks import Marks

DECIMAL = f"DECIMAL({MONEY_PRECISION},{MONEY_SCALE})"
FIRST_TIME, LAST_TIME = "1970-01-01", "2200-01-01"
"""Outside of these a time is a placeholder (0001-01-01, 9999-12-31), never a charge."""

NULL_WORDS = ("NULL", "null", "Null")
_PLAIN = rf"[+-]?(\d+\.?\d{{0,{MONEY_SCALE}}}0*|\.\d{{1,{MONEY_SCALE}}}0*)"
_EXPONENT = r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d{1,3}"
_ZERO = r"[+-]?(0+\.?0*|\.0+)[eE][+-]?\d{1,3}"
TIME_SHAPE = (
    r"\d{4}-\d{2}-\d{2}"
    r"([T ]\d{2}:\d{2}(:\d{2}([.]\d{1,9})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?"
)
ZONE = r"(Z|UTC|[+-]\d{2}(:?\d{2})?)$"
_OFFSET = r"[+-]((0[1-9]|[1-9]\d)(:?\d{2})?|00:?(0[1-9]|[1-9]\d))$"
"""An offset that is not zero."""


@dataclass(frozen=True)
class RawColumn:
    """A column as delivered: its name there, the SQL that reads it, DuckDB's type of it."""

    name: str
    sql: str
    type: str
    marks: Marks = ""
    """How text of it writes numbers."""


@dataclass(frozen=True)
class Note:
    """Something mended or tolerated: counted over the rows where `condition` holds."""

    code: str
    condition: str
    expected: str
    hint: str = "Nothing to do: it was mended."


@dataclass(frozen=True)
class Parsed:
    """A typed value in SQL, null where it could not be had.

    `given` is SQL that is true where the file holds something for it; `text` what it holds.
    """

    sql: str
    given: str
    text: str
    notes: tuple[Note, ...] = ()
    certain: bool = False
    """Whether every value given can be had, by the type of the column."""


def literal(text: str) -> str:
    """A SQL string literal of any text; SQL has no way to write NUL inside of one."""
    quoted = "'" + text.replace("'", "''") + "'"
    return "(" + quoted.replace("\0", "' || chr(0) || '") + ")" if "\0" in text else quoted


def identifier(name: str) -> str:
    """A quoted SQL identifier of any name."""
    return '"' + name.replace('"', '""') + '"'


def one_of(value: str, words: Iterable[str]) -> str:
    """SQL that is true where `value` is one of `words`; null where it is null.

    As a function of a list: DuckDB makes a join of an IN of five words and more, while a function
    is worked out once per distinct value where the file has them in a dictionary.
    """
    return f"list_contains([{', '.join(literal(word) for word in words)}], {value})"


def is_text(column: RawColumn) -> bool:
    return column.type == "VARCHAR"


def _is_float(column: RawColumn) -> bool:
    return column.type in ("DOUBLE", "FLOAT")


def _is_integer(column: RawColumn) -> bool:
    return column.type.removeprefix("U") in (
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    )  # fmt: skip


def is_nested(column: RawColumn) -> bool:
    return column.type.endswith("]") or column.type.startswith(("STRUCT", "MAP", "UNION"))


def as_text(column: RawColumn) -> str:
    """SQL of the value as text, for people and for keeping; never faults."""
    if is_text(column):
        return column.sql
    if column.type == "BLOB":
        return f"coalesce(try(decode({column.sql})), {column.sql}::varchar)"
    if is_nested(column):
        return f"to_json({column.sql})::varchar"
    return f"{column.sql}::varchar"


def _clean(column: RawColumn, *, trim: bool = False) -> tuple[str, tuple[Note, ...]]:
    """Text with empty text and the word NULL as null."""
    text = as_text(column)
    value = f"trim({text})" if trim else text
    if not is_text(column):
        return value, ()
    # Python's word for no number and no time; in a name or a tag it may be meant
    words = (*NULL_WORDS, "None") if trim else NULL_WORDS
    note = Note(
        "null_text",
        one_of(value, words),
        "An empty value; the file has a word for it (NULL, None), taken as empty",
    )
    empty = one_of(value, ("", *words))
    return f"CASE WHEN {empty} THEN NULL ELSE {value} END", (note,)


def parse_text(column: RawColumn) -> Parsed:
    """An id, name or description: text as it is, digits and all."""
    if _is_float(column):
        # a spreadsheet's or pandas' id column with gaps: 123.0 was 123
        whole = f"({column.sql} = trunc({column.sql}) AND abs({column.sql}) < 1e15)"
        value = (
            f"CASE WHEN isnan({column.sql}) THEN NULL WHEN {whole} "
            f"THEN {column.sql}::BIGINT::VARCHAR ELSE {column.sql}::VARCHAR END"
        )
        notes: tuple[Note, ...] = (_number_for_text(column),)
        return Parsed(value, f"({value}) IS NOT NULL", value, notes)
    value, notes = _clean(column)
    if _is_integer(column):
        notes = (_number_for_text(column),)
    return Parsed(value, f"({value}) IS NOT NULL", value, notes)


def _number_for_text(column: RawColumn) -> Note:
    return Note(
        "number_for_text",
        f"{column.sql} IS NOT NULL",
        f"Text; the file has {column.type}, kept as its digits",
        "Export it as text if it may have leading zeros: they are lost in the file.",
    )


def parse_money(column: RawColumn) -> Parsed:
    """Money or a quantity as DECIMAL(38,20), exact or null; never by way of a float.

    Text and decimals with more than 20 decimals or 18 digits before the point give null. A float
    column is read by its shortest decimal text; what it holds beyond the 20th decimal is its own
    error (it is below 1e-15 of the value), so that is rounded.
    """
    given = f"{column.sql} IS NOT NULL"
    if _is_float(column):
        given = f"({column.sql} IS NOT NULL AND NOT isnan({column.sql}))"
        text = f"{column.sql}::VARCHAR"
        note = Note(
            "money_as_float",
            given,
            f"Decimal; the file has {column.type}, read by its shortest decimal text",
            "Export it as decimal or text: a float cannot hold every amount.",
        )
        return Parsed(
            f"CASE WHEN isnan({column.sql}) THEN NULL ELSE TRY_CAST({text} AS {DECIMAL}) END",
            given, text, (note,),
        )  # fmt: skip
    if _is_integer(column) or _scale_fits(column.type):
        certain = _width_fits(column.type)
        return Parsed(
            f"TRY_CAST({column.sql} AS {DECIMAL})", given, f"{column.sql}::VARCHAR", (), certain
        )
    text, notes = _clean(column, trim=True)
    numeral, marks = _numeral(column, text)
    return Parsed(exact_decimal(numeral), f"({text}) IS NOT NULL", text, (*notes, *marks))


def _numeral(column: RawColumn, text: str) -> tuple[str, tuple[Note, ...]]:
    """A number's text as programs write it, by the marks that its column writes with."""
    if not column.marks:
        return text, ()
    if column.marks == "comma":
        wanted = "A decimal point; the values of this column can only have decimal commas"
        numeral = f"replace(replace({text}, '.', ''), ',', '.')"
    else:
        wanted = "Digits alone; the values of this column can only have commas between thousands"
        numeral = f"replace({text}, ',', '')"
    return numeral, (Note("decimal_marks", f"contains({text}, ',')", wanted),)


def _precision(type_: str) -> tuple[int, int]:
    precision, scale = type_[len("DECIMAL(") : -1].split(",")
    return int(precision), int(scale)


def _scale_fits(type_: str) -> bool:
    return type_.startswith("DECIMAL(") and _precision(type_)[1] <= MONEY_SCALE


def _width_fits(type_: str) -> bool:
    if not type_.startswith("DECIMAL("):
        return False
    precision, scale = _precision(type_)
    return precision - scale <= MONEY_PRECISION - MONEY_SCALE


def exact_decimal(text: str) -> str:
    """SQL of a DECIMAL(38,20) from text: null unless the text is a number that fits exactly.

    Short text without an exponent cannot have more than 20 decimals; only the rest pays for
    regular expressions.
    """
    cast = f"TRY_CAST({text} AS {DECIMAL})"
    decimals = f"length(rtrim(regexp_extract({text}, '[.](\\d*)', 1), '0'))"
    exponent = f"regexp_extract({text}, '[eE]([+-]?\\d+)$', 1)::INTEGER"
    return (
        f"CASE WHEN length({text}) <= {MONEY_SCALE + 1} AND NOT contains({text}, 'e') "
        f"AND NOT contains({text}, 'E') AND NOT contains({text}, '_') THEN {cast} "
        f"WHEN regexp_full_match({text}, {literal(_PLAIN)}) THEN {cast} "
        f"WHEN regexp_full_match({text}, {literal(_ZERO)}) THEN 0::{DECIMAL} "
        f"WHEN regexp_full_match({text}, {literal(_EXPONENT)}) "
        f"AND {decimals} - {exponent} <= {MONEY_SCALE} THEN {cast} END"
    )


def parse_time(column: RawColumn) -> Parsed:
    """An instant in UTC, microseconds; null outside of 1970 to 2200."""
    given = f"{column.sql} IS NOT NULL"
    text = f"{column.sql}::VARCHAR"
    notes: tuple[Note, ...] = ()
    if column.type == "TIMESTAMP WITH TIME ZONE":
        value = column.sql
    elif column.type.startswith("TIMESTAMP") or column.type == "DATE":
        value = f"TRY_CAST({column.sql} AS TIMESTAMPTZ)"
        notes = (_zone_note(given),) if column.type != "DATE" else (_date_note(given),)
    elif is_text(column):
        text, nulls = _clean(column, trim=True)
        given = f"({text}) IS NOT NULL"
        shaped = f"regexp_full_match({text}, {literal(TIME_SHAPE)})"
        value = (
            f"CASE WHEN {shaped} THEN coalesce(TRY_CAST({text} AS TIMESTAMPTZ), "
            f"try_strptime({text}, ['%Y-%m-%dT%H:%MZ', '%Y-%m-%d %H:%MZ'])::TIMESTAMPTZ) END"
        )
        # nearly every time ends in Z: only the others pay for regular expressions
        after = f"CASE WHEN ({text}) LIKE '%Z' THEN 'Z' ELSE substr({text}, 11) END"
        notes = (
            *nulls,
            _zone_note(
                f"({shaped} AND length({text}) > 10 "
                f"AND NOT regexp_matches({after}, {literal(ZONE)}))"
            ),
            Note(
                "time_in_other_zone",
                f"({shaped} AND regexp_matches({after}, {literal(_OFFSET)}))",
                "A time in UTC; the zone that the time names was taken into account",
                "Nothing to do: it is the same instant. Its day or month in UTC may be another.",
            ),
            _date_note(f"({shaped} AND length({text}) = 10)"),
        )
    else:
        value = "NULL::TIMESTAMPTZ"
    bounded = (
        f"CASE WHEN ({value}) >= TIMESTAMPTZ '{FIRST_TIME}' "
        f"AND ({value}) < TIMESTAMPTZ '{LAST_TIME}' THEN ({value}) END"
    )
    return Parsed(bounded, given, text, notes)


def _zone_note(condition: str) -> Note:
    return Note("time_without_zone", condition, "A time with its zone; taken as UTC")


def _date_note(condition: str) -> Note:
    return Note("date_for_time", condition, "A time; the date was taken as its midnight UTC")


def _number(column: RawColumn) -> tuple[str, str, str, tuple[Note, ...]]:
    """A column as DOUBLE, where it is given, what it holds as text, and what to count."""
    if is_text(column):
        text, notes = _clean(column, trim=True)
        numeral, marks = _numeral(column, text)
        return f"TRY_CAST({numeral} AS DOUBLE)", f"({text}) IS NOT NULL", text, (*notes, *marks)
    # a cast to text of every number would cost more than all the rest
    given = f"{column.sql} IS NOT NULL"
    if column.type == "DOUBLE":
        return column.sql, given, f"{column.sql}::VARCHAR", ()
    return f"TRY_CAST({column.sql} AS DOUBLE)", given, as_text(column), ()


def parse_float(column: RawColumn) -> Parsed:
    """A measured number as DOUBLE; NaN and infinities give null and so are faulted."""
    number, given, text, notes = _number(column)
    return Parsed(f"CASE WHEN isfinite({number}) THEN {number} END", given, text, notes)


def parse_integer(column: RawColumn) -> Parsed:
    """A whole number as BIGINT; one with a fraction gives null."""
    number, given, text, notes = _number(column)
    if _is_integer(column):
        return Parsed(f"TRY_CAST({column.sql} AS BIGINT)", given, text, notes)
    whole = f"CASE WHEN {number} = trunc({number}) THEN TRY_CAST({number} AS BIGINT) END"
    return Parsed(whole, given, text, notes)


def parse_map(column: RawColumn, value_type: str) -> Parsed:
    """A MAP(VARCHAR, value_type) from a map, a struct or JSON text; null if it is none of them."""
    target = f"MAP(VARCHAR, {value_type})"
    text, notes = _clean(column)
    given = f"({text}) IS NOT NULL"
    if column.type.startswith("MAP"):
        value = f"TRY_CAST({column.sql} AS {target})"
    else:
        value = f"try(({text})::JSON::{target})"
    if value_type == "DOUBLE":
        # a missing input may be written as NaN: missing is null here
        value = (
            f"map_from_entries(list_transform(map_entries({value}), lambda e: "
            "{'k': e.key, 'v': CASE WHEN isfinite(e.value) THEN e.value END}))"
        )
    return Parsed(value, given, text, notes)


def parse_enumeration(column: RawColumn, allowed: Mapping[str, str], target: str) -> Parsed:
    """One of a closed list; `allowed` maps the squeezed word to the word of the format.

    Squeezed is lower case without spaces, hyphens and underscores. An unknown word stays as it
    is: whether it is a fault is for the caller.
    """
    text, notes = _clean(column, trim=True)
    squeezed = f"regexp_replace(lower({text}), '[ _-]', '', 'g')"
    given = as_text(column)
    # most rows have the word itself: only the others are looked at closely
    as_given = f"coalesce({one_of(given, allowed.values())}, {given} IS NULL)"
    cases = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in allowed.items())
    value = (
        f"CASE WHEN {as_given} THEN {given} WHEN {one_of(text, allowed.values())} THEN ({text}) "
        f"ELSE CASE {squeezed} {cases} ELSE ({text}) END END"
    )
    mended = Note(
        "enumeration_spelling",
        f"(CASE WHEN {as_given} THEN false ELSE {target} <> ({text}) END)",
        "The spelling of the format; case or hyphens differed",
    )
    return Parsed(value, f"({text}) IS NOT NULL", text, (*notes, mended))


def squeeze(word: str) -> str:
    """Lower case without anything but letters and digits: how names are compared."""
    return "".join(ch for ch in word.lower() if ch.isalnum())
