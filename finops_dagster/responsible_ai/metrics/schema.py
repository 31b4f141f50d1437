"""Which column of a flat table means what, and how its owner may write that down.

Reading the columns is in `outcomes`, what is made of them in `rows`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from finops_dagster.responsible_ai.results import Task

_TASKS: dict[str, Task] = {
    "classification": "classification",
    "binary": "classification",
    "binary_classification": "classification",
    "classifier": "classification",
    "regression": "regression",
    "regressor": "regression",
}
_ALSO = {
    "target": "label",
    "actual": "label",
    "prediction_probability": "probability",
    "predicted_probability": "probability",
    "score": "probability",
    "sensitive_features": "protected",
    "protected_attributes": "protected",
    "groups": "protected",
    "ignore": "ignored",
    "positive_class": "positive",
    "positive_label": "positive",
}
"""Other words that people write for a key."""
_OF_LOGS = frozenset(
    ("model", "version", "id", "time", "rows", "missing_group", "latency", "tokens", "energy")
)
"""Keys of a prediction log's schema that say nothing of its figures: its file can be used here."""


class MetricFault(ValueError):
    """A schema or a table that cannot be used: where, why and what to do."""

    def __init__(
        self, expected: str, *, column: str | None = None, window: str = "", hint: str = ""
    ) -> None:
        super().__init__(expected)
        self.column = column
        self.window = window
        self.hint = hint


@dataclass(frozen=True)
class GroupColumn:
    """A protected attribute: its name, its column, and words for the codes in it."""

    name: str
    column: str
    values: tuple[tuple[str, str], ...] = ()
    """Code, as text -> name of the group; other codes stand for themselves."""
    bands: tuple[float, ...] = ()
    """Limits of bands of a number, such as 18, 35, 55."""


@dataclass(frozen=True)
class WindowRule:
    """Which rows belong to which window: those whose `column` has one of the values, or is
    between both ends of a pair `{first, last}`, ends included."""

    column: str
    reference: Any
    analysis: Any


@dataclass(frozen=True)
class MetricSchema:
    """Which column of a flat table means what."""

    task: Task
    prediction: str | None = None
    """None where the prediction follows from `probability` and `threshold`."""
    label: str | None = None
    probability: str | None = None
    """Of class 1."""
    protected: tuple[str | GroupColumn, ...] = ()
    features: tuple[str, ...] = ()
    """Watched for drift; empty means every column that has no other meaning."""
    block: str | None = None
    """Column that says which rows belong together, such as their day."""
    ignored: tuple[str, ...] = ()
    """Columns that mean nothing, such as row numbers."""
    positive: str | None = None
    """The label and the prediction that count as class 1; every other counts as class 0. None:
    the one of 1 and 0, true and false, yes and no, 1 and -1 that columns have."""
    threshold: float | None = None
    """Probability from which the answer is class 1, where no prediction was logged."""
    window: WindowRule | None = None
    prediction_values: tuple[tuple[str, str], ...] = ()
    """What the log writes -> class, or number as text."""
    label_values: tuple[tuple[str, str], ...] = ()

    @property
    def groups(self) -> tuple[GroupColumn, ...]:
        """The protected attributes."""
        return tuple(
            GroupColumn(one, one) if isinstance(one, str) else one for one in self.protected
        )

    @classmethod
    def parse(cls, values: Any) -> MetricSchema:
        """From a JSON or YAML object; raises MetricFault that names the key at fault.

        A column is its name, or `{column: NAME, values: {CODE: WORD}}`. The keys of a prediction
        log's schema are known too, so that one file may serve both.
        """
        if not isinstance(values, Mapping):
            raise MetricFault(
                "a schema is an object such as {task: classification, prediction: COLUMN}; this "
                f"one is {'empty' if values is None else 'a ' + type(values).__name__}"
            )
        plain: dict[str, Any] = {}
        known = {f.name for f in fields(cls)} - {"prediction_values", "label_values"}
        for key, value in values.items():
            name = _ALSO.get(str(key), str(key))
            if name in _OF_LOGS:
                continue
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise MetricFault(
                    f"unknown key {name!r}; known are {', '.join(sorted(known))}",
                    hint=f"Did you mean {near[0]}?" if near else "",
                )
            if name in plain:
                raise MetricFault(f"{name} is there twice, once as {key}")
            plain[name] = value
        task = _TASKS.get(str(plain.get("task", "")).lower())
        if task is None:
            raise MetricFault("task must be classification or regression")
        columns = {}
        for key in ("prediction", "label", "probability", "block"):
            columns[key] = _column(key, plain.get(key))
        found = cls(
            task=task,
            prediction=columns["prediction"][0],
            label=columns["label"][0],
            probability=columns["probability"][0],
            protected=_protected(plain.get("protected")),
            features=_names("features", plain.get("features")),
            block=columns["block"][0],
            ignored=_names("ignored", plain.get("ignored")),
            positive=None if plain.get("positive") is None else word(plain["positive"]),
            threshold=_number("threshold", plain.get("threshold")),
            window=_window(plain.get("window")),
            prediction_values=columns["prediction"][1],
            label_values=columns["label"][1],
        )
        if found.prediction is None and not (
            task == "classification" and found.probability and found.threshold is not None
        ):
            raise MetricFault(
                "prediction must name a column"
                + (
                    ", or probability a column and threshold a number"
                    if task == "classification"
                    else ""
                )
            )
        return found

    def named(self) -> tuple[str, ...]:
        """Every column that is named, in order; a prediction that may be computed is not."""
        made = self.threshold is not None and self.probability is not None
        single = (None if made else self.prediction, self.label, self.probability, self.block)
        groups = (one.column for one in self.groups)
        rule = (self.window.column,) if self.window is not None else ()
        names = (*(one for one in single if one is not None), *groups, *self.features, *rule)
        return tuple(dict.fromkeys(names))


def word(value: Any) -> str:
    """A code as text: 1, 1.0 and "1" are one, and so are True and "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    text = str(value).strip()
    return text.lower() if text.lower() in ("true", "false") else text


def _column(key: str, value: Any) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    codes: tuple[tuple[str, str], ...] = ()
    if isinstance(value, Mapping):
        codes = _codes(key, value.get("values"))
        value = value.get("column", value.get("name"))
        if value is None:
            raise MetricFault(f"{key} must name a column: {{column: NAME}}")
    if not isinstance(value, str | None):
        raise MetricFault(f"{key} must name a column")
    return value, codes


def _codes(key: str, values: Any) -> tuple[tuple[str, str], ...]:
    if values is None:
        return ()
    if isinstance(values, Mapping):
        return tuple((word(code), str(name)) for code, name in values.items())
    if isinstance(values, Sequence) and not isinstance(values, str):
        return tuple((word(one), word(one)) for one in values)
    raise MetricFault(f"values of {key} must map a code to a word, or be a list of words")


def _protected(value: Any) -> tuple[str | GroupColumn, ...]:
    """A list of columns, of objects, or a mapping of column -> codes."""
    if value is None:
        return ()
    if isinstance(value, Mapping):
        value = [
            name if not codes else {"name": name, "values": codes} for name, codes in value.items()
        ]
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise MetricFault("protected must be a list of column names")
    found: list[str | GroupColumn] = []
    for one in value:
        if isinstance(one, str):
            found.append(one)
            continue
        name = one.get("name", one.get("column")) if isinstance(one, Mapping) else None
        if not isinstance(name, str):
            raise MetricFault("protected must be a list of column names, or of {name, values}")
        bands = one.get("bands") or ()
        if not isinstance(bands, Sequence) or not all(
            isinstance(limit, int | float) for limit in bands
        ) or sorted(set(bands)) != list(bands):  # fmt: skip
            raise MetricFault(f"bands of {name} must be numbers that rise", column=name)
        found.append(
            GroupColumn(
                name,
                str(one.get("column", name)),
                _codes(name, one.get("values")),
                tuple(float(limit) for limit in bands),
            )
        )
    names = [one if isinstance(one, str) else one.name for one in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise MetricFault(f"protected has {twice[0]!r} twice")
    return tuple(found)


def _names(key: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise MetricFault(f"{key} must be a list of column names")
    names = [
        one.get("column", one.get("name")) if isinstance(one, Mapping) else one for one in value
    ]
    if not all(isinstance(name, str) for name in names):
        raise MetricFault(f"{key} must be a list of column names")
    return tuple(dict.fromkeys(names))


def _number(key: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MetricFault(f"{key} must be a number")
    return float(value)


def _window(value: Any) -> WindowRule | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not {"column", "reference", "analysis"} <= set(value):
        raise MetricFault(
            "window must have column, reference and analysis, such as {column: year, reference: "
            "2015, analysis: 2016} or {column: day, reference: {first: 2026-01-01, last: "
            "2026-01-31}, analysis: {first: 2026-02-01, last: 2026-02-28}}"
        )
    for key in ("reference", "analysis"):
        ends = value[key]
        if isinstance(ends, Mapping) and not (set(ends) and set(ends) <= {"first", "last"}):
            raise MetricFault(f"window.{key} must be a value, a list of values or {{first, last}}")
    return WindowRule(str(value["column"]), value["reference"], value["analysis"])
