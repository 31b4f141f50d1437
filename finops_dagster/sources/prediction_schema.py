"""What the columns of one model's log mean, as its owner declares it in YAML.

How the declaration becomes rows is in `declared_logs`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from finops_dagster.documents import Typed, read_typed
from finops_dagster.sources.options import Options

PAGE = "docs/prediction-logs.md"
UNKNOWN = "unknown"
"""The group of rows without one, where these are kept."""


class LogOptions(Options):
    """The option of both formats."""

    declared: Path = Field(alias="schema", description="schema: the YAML file that says what the "
                           "columns mean")  # fmt: skip


def read_schema(path: Path) -> Typed[LogSchema]:
    """The schema at `path`. Raises SettingsError with a fault for each line at fault."""
    return read_typed(LogSchema, path, "a schema of a prediction log", PAGE)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _named(data: Any) -> Any:
    """A column's name alone stands for the column."""
    return {"column": data} if isinstance(data, str) else data


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("a zone of the IANA list, such as UTC or Europe/Berlin") from None
    return name


def _codes(data: Any) -> Any:
    """A list of words stands for codes that are their own words. YAML reads 1 as a number."""
    if isinstance(data, list):
        data = {str(word) if isinstance(word, int) else word: word for word in data}
    if isinstance(data, dict):
        return {key: _word(value) for key, value in data.items()}
    return data


def _word(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[dict[Name, Name], BeforeValidator(_codes), Field(min_length=1)]
Classes = Annotated[dict[Name, Literal[0, 1]], Field(min_length=1)]


class InColumn(_Part):
    """A value that a column holds."""

    column: Name = Field(description="Name of the column; a.b for the key b in the column a.")


Column = Annotated[InColumn, BeforeValidator(_named)]


def _id(data: Any) -> Any:
    """`none` is the word for an absent id: an empty key may be one that was forgotten."""
    if data is None:
        raise ValueError("a column, or none")
    return None if data == "none" else _named(data)


def _constant(data: Any) -> Any:
    if isinstance(data, int | float):
        raise ValueError("text: YAML reads 1.10 as the number 1.1, so put it in quotes")
    return {"constant": data} if isinstance(data, str) else data


class Version(_Part):
    """The version that answered: of all rows, or in a column."""

    column: Name | None = Field(default=None, description="Name of the column.")
    constant: Name | None = Field(default=None, description="The version of all rows.")

    @model_validator(mode="after")
    def _one_way(self) -> Version:
        if (self.column is None) == (self.constant is None):
            raise ValueError("a version in quotes, or {column: NAME}")
        return self


class Answer(InColumn):
    """What the model said, or what was true."""

    values: Classes | None = Field(
        default=None, description="What the log writes -> class 0 or 1; empty for numbers."
    )


class Moment(_Part):
    """When: a column, or one time for all rows."""

    column: Name | None = Field(default=None, description="Name of the column.")
    constant: AwareDatetime | None = Field(
        default=None, description="The time of all rows, such as 2026-01-31T00:00:00Z."
    )
    format: str | None = Field(
        default=None,
        pattern="%",
        description="How the column writes times, as strptime reads them: %d.%m.%Y %H:%M. Empty "
        "for RFC 3339 and for columns of a time's type.",
    )
    unit: Literal["s", "ms", "us", "ns"] | None = Field(
        default=None, description="Unit of times that are numbers since 1970."
    )
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(
        default=None, description="Zone of times that name none, such as Europe/Berlin."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Moment:
        if (self.column is None) == (self.constant is None):
            raise ValueError("either column or constant")
        if self.format is not None and self.unit is not None:
            raise ValueError("either format or unit")
        if self.format is not None and self.timezone is None and not self.has_zone:
            raise ValueError("timezone, since the format has no %z")
        return self

    @property
    def has_zone(self) -> bool:
        """Whether its format reads a zone."""
        return self.format is not None and ("%z" in self.format or "%Z" in self.format)


class Truth(Answer):
    """What turned out to be true."""

    id: Column | None = Field(
        default=None, description="Column that joins it, where labels name it otherwise."
    )
    time: Annotated[Moment, BeforeValidator(_named)] | None = Field(
        default=None, description="When the truth was recorded."
    )
    after_days: int | None = Field(
        default=None,
        ge=0,
        le=3660,
        description="In place of time: days after the prediction at which the truth is known.",
    )

    @model_validator(mode="after")
    def _one_time(self) -> Truth:
        if (self.time is None) == (self.after_days is None):
            raise ValueError("either time or after_days: when the truth is known")
        return self


class _Named(_Part):
    """What the product calls by a name of its own, and the column that it is in."""

    name: Name = Field(description="Its name, as `models` in the settings has it.")
    column: Name | None = Field(default=None, description="Its column; empty for its name.")

    @property
    def source(self) -> str:
        """The column that it is in."""
        return self.column or self.name


class Feature(_Named):
    """One input of the model."""

    type: Literal["number", "category", "boolean"] = Field(
        description="number, category or boolean."
    )
    values: Words | None = Field(
        default=None,
        description="Categories: the words, or code -> word. Without it any text is taken, and "
        "lands as a keyed hash.",
    )

    @model_validator(mode="after")
    def _values_of_categories(self) -> Feature:
        if self.values is not None and self.type != "category":
            raise ValueError("values for a category alone")
        return self


class Group(_Named):
    """One protected attribute: a few coarse groups, each with a word."""

    values: Words | None = Field(default=None, description="The words, or code -> word.")
    bands: tuple[float, ...] | None = Field(
        default=None, min_length=1, description="Limits of bands of a number, such as [18, 35, 55]."
    )

    @model_validator(mode="after")
    def _coarse(self) -> Group:
        if (self.values is None) == (self.bands is None):
            raise ValueError("either values or bands: which groups there are")
        if self.bands is not None and sorted(set(self.bands)) != list(self.bands):
            raise ValueError("bands that rise")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """Every group there is."""
        if self.values is not None:
            return tuple(dict.fromkeys(self.values.values()))
        assert self.bands is not None  # one of both is there
        inner = zip(self.bands, self.bands[1:], strict=False)
        return (
            f"under {self.bands[0]:g}",
            *(f"{low:g} to under {high:g}" for low, high in inner),
            f"{self.bands[-1]:g} or more",
        )


class Rows(InColumn):
    """Which rows of the files are of the model."""

    value: Name = Field(description="What the column holds in rows of this model.")


class Latency(InColumn):
    """Time to answer."""

    unit: Literal["s", "ms", "us", "ns"] = Field(description="s, ms, us or ns.")


class Energy(InColumn):
    """Energy of the answer."""

    unit: Literal["Wh", "kWh", "mWh", "J"] = Field(description="Wh, kWh, mWh or J.")


class Tokens(_Part):
    """What a language model read and wrote."""

    input: Name | None = Field(default=None, description="Column of the tokens given.")
    output: Name | None = Field(default=None, description="Column of the tokens answered.")


class LogSchema(_Part):
    """One model's log."""

    model: Name = Field(description="Name of the model, as `models` in the settings has it.")
    version: Annotated[Version, BeforeValidator(_constant)] = Field(
        description="Version of the model in quotes, or {column: NAME}."
    )
    task: Literal["classification", "regression"] = Field(
        description="classification (0 or 1) or regression."
    )
    rows: Rows | None = Field(
        default=None, description="Which rows are of this model, where a log is of several."
    )
    id: Annotated[InColumn | None, BeforeValidator(_id)] = Field(
        description="Column that tells answers apart and joins labels, or none."
    )
    time: Annotated[Moment, BeforeValidator(_named)] = Field(description="When the model answered.")
    features: tuple[Feature, ...] = Field(min_length=1, description="Inputs of the model.")
    prediction: Annotated[Answer, BeforeValidator(_named)] = Field(
        description="What the model said."
    )
    probability: Column | None = Field(default=None, description="Of class 1, 0 to 1.")
    label: Truth | None = Field(default=None, description="What turned out to be true.")
    groups: tuple[Group, ...] = Field(default=(), description="Protected attributes.")
    missing_group: Literal["quarantine", "unknown"] = Field(
        default="quarantine",
        description="Rows without a group: quarantine sets them aside, unknown keeps them.",
    )
    latency: Latency | None = Field(default=None, description="Time to answer, with its unit.")
    tokens: Tokens | None = Field(default=None, description="Tokens given and answered.")
    energy: Energy | None = Field(default=None, description="Energy, with its unit.")

    @model_validator(mode="after")
    def _consistent(self) -> LogSchema:
        for what, names in (
            ("features", [one.name for one in self.features]),
            ("groups", [one.name for one in self.groups]),
        ):
            if repeated := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"{what} with different names: {', '.join(sorted(repeated))}")
        if self.task == "regression":
            answers = [self.prediction, *([self.label] if self.label else [])]
            if any(one.values is not None for one in answers) or self.probability is not None:
                raise ValueError("no classes and no probability: a regressor answers with numbers")
        return self

    @property
    def columns(self) -> frozenset[str]:
        """Every column that is named."""
        label, tokens = self.label, self.tokens
        named = [
            *(one.source for one in (*self.features, *self.groups)),
            *(one.column for one in _present(self.rows, self.prediction, self.probability,
                                             self.latency, self.energy, label)),
            *((tokens.input, tokens.output) if tokens else ()),
            self.time.column,
            *((label.time.column if label.time else None,) if label else ()),
            *((label.id.column,) if label and label.id else ()),
            self.version.column,
            *((self.id.column,) if self.id else ()),
        ]  # fmt: skip
        return frozenset(name for name in named if name is not None)

    @property
    def words(self) -> dict[str, frozenset[str]]:
        """`column.key` of the table -> texts that it names: they are no secret."""
        return {
            **{
                f"categories.{one.name}": frozenset(one.values.values())
                for one in self.features
                if one.values is not None
            },
            **{f"groups.{one.name}": frozenset((*one.words, UNKNOWN)) for one in self.groups},
        }


def _present(*parts: InColumn | None) -> list[InColumn]:
    return [part for part in parts if part is not None]
