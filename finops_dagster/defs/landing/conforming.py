"""Introduces raw deliveries to the rule model: opens the files, has them judged, keeps the report.

No rules and no formats here; the asset around it is in `conformance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.deliveries import DeliveredFile, Delivery
from finops_dagster.domain.errors import Fault, SettingsError, Unavailable
from finops_dagster.quality.conformance import (
    Column,
    Options,
    Report,
    Rows,
    RuleModel,
    judge,
)
from finops_dagster.sources import FileSource, open_source
from finops_dagster.sources.notes import is_note
from finops_dagster.sources.opening import Opened
from finops_dagster.sources.raw import look_at_raw

FORMAT = "focus"
"""The format whose deliveries a FOCUS rule model is about."""


def judge_files(path: Path, model: RuleModel, options: Options) -> tuple[Report, tuple[Fault, ...]]:
    """Every data file at `path` as one delivery, and what could not be read of it.

    Raises SettingsError where there is no such path, Unavailable where nothing can be read.
    """
    if not path.exists():
        fault = Fault(
            code="no_such_file",
            file=str(path),
            expected="A FOCUS file or a folder of its parts; there is nothing.",
            hint="Correct the path.",
        )
        raise SettingsError(f"{path} is not there", (fault,))
    source = open_source(FORMAT, "file", path)
    files = [DeliveredFile(path=one) for one in source.place.entries() if not is_note(one.name)]
    return judge_source(source, files, str(path), model, options)


def judge_delivery(
    estate: Estate, source: FileSource, delivery: Delivery, model: RuleModel
) -> tuple[Report, tuple[Fault, ...]]:
    """One delivery of a source. Raises Unavailable where nothing of it can be read."""
    settings = next(one for one in estate.settings.billing if one.name == source.name)
    options = Options(
        allowed=estate.settings.focus_allowed,
        supports=settings.supports,
    )
    subject = f"{delivery.source} {delivery.partition.isoformat()}"
    return judge_source(source, delivery.files, subject, model, options)


def judge_source(
    source: FileSource,
    files: Sequence[DeliveredFile],
    subject: str,
    model: RuleModel,
    options: Options,
) -> tuple[Report, tuple[Fault, ...]]:
    """Files of a source against a model."""

    def look(connection: duckdb.DuckDBPyConnection, opened: Opened) -> Report:
        groups = [
            Rows(
                view=group.view,
                columns=tuple(
                    Column(column.name, column.sql, column.type, group.text)
                    for column in group.columns
                ),
                names={number: opened.names[number] for number in group.files},
            )
            for group in opened.groups
        ]
        return judge(connection, subject, groups, model, options)

    report, opened = look_at_raw(source.place, files, source.hashes, source.options, look)
    if not opened.groups:
        raise Unavailable(f"Nothing of {subject} could be read.", tuple(opened.faults))
    return report, (*opened.faults, *_broken(opened))


def _broken(opened: Opened) -> list[Fault]:
    return [
        Fault(
            code="rows_not_told_apart",
            file=opened.names[number],
            expected="Rows with as many values as the header; some have more or fewer.",
            hint="Land the delivery: its quarantine holds each of them. They are not judged.",
        )
        for number in opened.broken
    ]
