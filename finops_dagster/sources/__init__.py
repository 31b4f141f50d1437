"""One module per system that data comes from, behind one small protocol.

To add a format: a module with a `Format` (its table, and how its columns become the table's), and
one line in `FORMATS`. Nothing else changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.sources.api_calls import Api
from finops_dagster.sources.aws_cur import AWS_CUR, AWS_CUR2
from finops_dagster.sources.azure import AZURE_EA, AZURE_MCA
from finops_dagster.sources.business import BUSINESS_METRIC_LOG
from finops_dagster.sources.carbon import CARBON
from finops_dagster.sources.declared_logs import DECLARED_LABELS, DECLARED_PREDICTIONS
from finops_dagster.sources.electricity_maps import ELECTRICITY_MAPS
from finops_dagster.sources.extraction import AnswerPlace, Extraction, ZoneOptions, archive
from finops_dagster.sources.focus import FocusFormat
from finops_dagster.sources.gcp import GCP_DETAILED
from finops_dagster.sources.labels import LABEL_LOG
from finops_dagster.sources.oci import OCI
from finops_dagster.sources.opencost import OPENCOST
from finops_dagster.sources.options import Configurable, Terms, configured, without_options
from finops_dagster.sources.places import DOCUMENTS, SUFFIXES, Hashes, Place
from finops_dagster.sources.predictions import PREDICTION_LOG
from finops_dagster.sources.rate_card import RATE_CARD
from finops_dagster.sources.remote import masked, place_at
from finops_dagster.sources.runs import MODEL_VERSION_LOG, RUN_LOG
from finops_dagster.sources.shapes import (
    QUARANTINE_SCHEMA,
    Limits,
    ReadOptions,
    ReadResult,
    arrow_schema,
)
from finops_dagster.sources.source import FileSource, Readable
from finops_dagster.sources.telemetry import TELEMETRY
from finops_dagster.sources.tokens import TOKEN_LOG
from finops_dagster.sources.views import Format
from finops_dagster.sources.watttime import WATTTIME

__all__ = [
    "FORMATS",
    "QUARANTINE_SCHEMA",
    "FileSource",
    "Format",
    "Limits",
    "ReadOptions",
    "ReadResult",
    "Readable",
    "arrow_schema",
    "files_at",
    "open_source",
]

FORMATS: dict[str, Format | Configurable] = {
    "focus": FocusFormat(),
    "aws_cur": AWS_CUR,
    "aws_cur2": AWS_CUR2,
    "azure_ea": AZURE_EA,
    "azure_mca": AZURE_MCA,
    "opencost": OPENCOST,
    "rate_card": RATE_CARD,
    "gcp_detailed": GCP_DETAILED,
    "oci": OCI,
    "telemetry": TELEMETRY,
    "carbon": CARBON,
    "electricity_maps": ELECTRICITY_MAPS,
    "watttime": WATTTIME,
    "predictions": PREDICTION_LOG,
    "prediction_log": DECLARED_PREDICTIONS,
    "labels": LABEL_LOG,
    "label_log": DECLARED_LABELS,
    "runs": RUN_LOG,
    "model_versions": MODEL_VERSION_LOG,
    "token_usage": TOKEN_LOG,
    "business_metrics": BUSINESS_METRIC_LOG,
}
"""Format name -> how it is read."""


def open_source(
    format_name: str,
    name: str,
    path: Path | str,
    limits: Limits | None = None,
    options: ReadOptions | None = None,
    format_options: Mapping[str, str] | None = None,
    folder: Path = Path(),
) -> FileSource:
    """The source `name` that delivers `format_name` to `path`, a file, a folder or a URL.

    A URL needs `options.mirror`, the folder for copies of what is there.
    `format_options` are what the settings say to the format; files they name start from `folder`.
    Raises SettingsError for a format or an option that is not known; nothing is read yet.
    """
    if format_name not in FORMATS:
        raise SettingsError(
            f"There is no format {format_name!r}.",
            (
                Fault(
                    code="format_unknown",
                    expected=f"One of {', '.join(FORMATS)}; found {format_name!r}.",
                    hint="Correct the format of the source in the settings.",
                ),
            ),
        )
    entry, given, terms = FORMATS[format_name], format_options or {}, Terms()
    options, hashes = options or ReadOptions(), Hashes()
    suffixes: tuple[str, ...] = SUFFIXES
    extraction = None
    if isinstance(entry, Configurable):
        if entry.documents:
            suffixes += DOCUMENTS
        fmt, terms = configured(entry, name, given, folder)
        extraction = _extraction(entry, format_name, name, path, options, terms)
    else:
        fmt = entry
        without_options(name, format_name, given)
    place: Place
    if extraction is not None:
        place = AnswerPlace(extraction.folder, hashes, suffixes, masked(str(path)))
    else:
        place = place_at(path, hashes, suffixes, options.mirror, options.mirror_bytes)
    return FileSource(name, place, fmt, hashes, limits or Limits(), options, terms, extraction)


def _extraction(
    entry: Configurable,
    format_name: str,
    name: str,
    path: Path | str,
    options: ReadOptions,
    terms: Terms,
) -> Extraction | None:
    """How the API at `path` is asked; None where `path` holds saved answers."""
    asker, told = entry.asker, entry.options.model_validate(terms.options)
    if asker is None or not isinstance(told, ZoneOptions) or told.zones is None:
        return None
    if isinstance(path, Path) or not path.startswith(("https://", "http://")):
        raise _no_api(name, "an https:// URL as its path, where the API answers")
    if options.answers is None:
        raise _no_api(name, "a folder for its answers; none is given")
    question = {"format": format_name, "path": path, **terms.options}
    api = Api(format_name, path)
    return Extraction(
        name=name,
        folder=archive(options.answers, name, question),
        zones=tuple(dict.fromkeys(zone.strip() for zone in told.zones.split(","))),
        make_asker=lambda: asker(api, told, options.secrets),
    )


def _no_api(name: str, wanted: str) -> SettingsError:
    fault = Fault(
        code="option",
        column=f"{name}: options.zones",
        expected=f"Expected {wanted}.",
        hint="Give the API's URL as path, or leave zones out to read saved answers.",
    )
    return SettingsError(f"The zones of {name} cannot be asked for: expected {wanted}.", (fault,))


def files_at(path: Path | str, options: ReadOptions) -> Place:
    """The files at a place, for what reads records of its own kind. Nothing is read yet."""
    return place_at(path, Hashes(), SUFFIXES + DOCUMENTS, options.mirror, options.mirror_bytes)
