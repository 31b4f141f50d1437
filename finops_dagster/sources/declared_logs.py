"""Logs with columns of their own, read by the schema that is declared for their model.

What a schema may say is in `prediction_schema`; the layout that needs none is in `predictions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from finops_dagster.domain.errors import SettingsError
from finops_dagster.sources.declared_columns import LogReader, as_map
from finops_dagster.sources.labels import LABEL_LOG
from finops_dagster.sources.options import Configurable
from finops_dagster.sources.parsing import (
    RawColumn,
    literal,
)
from finops_dagster.sources.prediction_schema import (
    LogOptions,
    LogSchema,
    read_schema,
)
from finops_dagster.sources.predictions import PREDICTION_LOG
from finops_dagster.sources.signals import SignalFormat
from finops_dagster.sources.views import View

_MILLISECONDS = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
_WATT_HOURS = {"Wh": 1.0, "kWh": 1000.0, "mWh": 1e-3, "J": 1 / 3600}


@dataclass(frozen=True)
class DeclaredLog(SignalFormat):
    """A signal whose columns a schema names. What is told of a row is that of the table."""

    schema: LogSchema = field(kw_only=True)


@dataclass(frozen=True)
class DeclaredPredictions(DeclaredLog):
    """The answers in a log."""

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`."""
        schema, reader = self.schema, LogReader(self.schema, columns, files)
        reader.start()
        numbers = [reader.feature(one, place) for place, one in enumerate(schema.features)]
        words = [one for one in schema.features if one.type == "category"]
        reader.view.values["features"] = as_map(
            [(o.name, sql) for o, sql in zip(schema.features, numbers, strict=True)
             if o.type != "category"], "DOUBLE",
        )  # fmt: skip
        reader.view.values["categories"] = as_map(
            [(o.name, sql) for o, sql in zip(schema.features, numbers, strict=True)
             if o in words], "VARCHAR",
        )  # fmt: skip
        groups = [(one.name, reader.group(one, place)) for place, one in enumerate(schema.groups)]
        reader.view.values["groups"] = as_map(groups, "VARCHAR")
        reader.answer("prediction", schema.prediction)
        if schema.probability is not None:
            reader.number("probability", schema.probability.column)
        if schema.latency is not None:
            factor = _MILLISECONDS[schema.latency.unit]
            reader.number("latency_ms", schema.latency.column, factor)
        if schema.energy is not None:
            factor = _WATT_HOURS[schema.energy.unit]
            reader.number("energy_wh", schema.energy.column, factor)
        if schema.tokens is not None:
            for name, column in (
                ("input_tokens", schema.tokens.input),
                ("output_tokens", schema.tokens.output),
            ):
                if column is not None:
                    reader.number(name, column, whole=True)
        reader.view.checks.extend(self.bounds)
        return reader.finished(self.table.columns)


@dataclass(frozen=True)
class DeclaredLabels(DeclaredLog):
    """What turned out to be true, in files of their own or beside the answers."""

    def view(self, columns: Sequence[RawColumn], files: str) -> View:
        """See `Format`. Rows without a label are answers whose truth is not known yet."""
        label = self.schema.label
        assert label is not None  # _labels refuses a schema without
        reader = LogReader(self.schema, columns, files)
        given = reader.answer("label", label)
        if label.time is not None:
            reader.time("time", label.time)
            if (asked := self.schema.time.column) and reader.find(asked):
                reader.time("n_asked", self.schema.time)
                reader.check(
                    "label_before_prediction",
                    label.time.column or label.column,
                    "(time < n_asked)",
                    literal("the truth was recorded before the model was asked"),
                )
        else:
            reader.time("n_asked", self.schema.time)
            reader.view.values["time"] = f"n_asked + INTERVAL {label.after_days} DAY"
        reader.identify(label.id.column if label.id else None)
        reader.only.append(given)
        return reader.finished(self.table.columns)


def _predictions(options: LogOptions) -> DeclaredPredictions:
    return DeclaredPredictions(
        table=PREDICTION_LOG.table,
        key=PREDICTION_LOG.key,
        bounds=PREDICTION_LOG.bounds,
        schema=read_schema(options.declared).value,
    )


def _labels(options: LogOptions) -> DeclaredLabels:
    read = read_schema(options.declared)
    if read.value.label is None:
        wanted = "the key `label`: the source is to deliver labels"
        fault = read.fault(("label",), f"Expected {wanted}.", "Add it, or remove the source.")
        raise SettingsError(f"{read.file} names no label", (fault,))
    return DeclaredLabels(
        table=LABEL_LOG.table,
        key=LABEL_LOG.key,
        strict_partition=LABEL_LOG.strict_partition,
        schema=read.value,
    )


DECLARED_PREDICTIONS = Configurable(LogOptions, _predictions)
DECLARED_LABELS = Configurable(LogOptions, _labels)
