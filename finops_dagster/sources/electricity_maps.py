"""Electricity Maps: answers of its carbon intensity API, and how it is asked for them.

How rows are had from answers is in `answers`, how an API is asked patiently in `extraction`.
API reference: https://app.electricitymaps.com/developer-hub/api (carbon-intensity, past-range).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal

from pydantic import Field

from finops_dagster.domain.schemas import INTENSITIES, LogicalType
from finops_dagster.sources.answers import AnswerFormat
from finops_dagster.sources.api_calls import Api, asked_for
from finops_dagster.sources.bills import Native
from finops_dagster.sources.carbon import KEY, NEGATIVE, NOWHERE, PARTIAL_KEY
from finops_dagster.sources.extraction import ZoneOptions
from finops_dagster.sources.options import Configurable
from finops_dagster.sources.parsing import one_of
from finops_dagster.sources.views import Check

TOKEN = "token"
"""Name of the credential that it asks for."""
_NO_DATA = 404
"""The status of a zone that is known but has nothing for the time asked: a gap, no fault."""
_GRANULARITIES = ("hourly", "15_minutes", "5_minutes")


class ElectricityMapsOptions(ZoneOptions):
    """Where its zones are asked for."""

    factors: Literal["lifecycle", "direct"] = Field(
        default="lifecycle",
        description="factors: lifecycle or direct, the emission factors asked for",
    )


_FORMAT = AnswerFormat(
    label="Electricity Maps",
    table=INTENSITIES,
    key=KEY,
    partial_key=PARTIAL_KEY,
    natives=(
        Native("zone", required=True),
        Native("datetime", LogicalType.TIME, required=True),
        Native("carbon_intensity", LogicalType.FLOAT),
        Native("emission_factor_type"),
        Native("is_estimated"),
        Native("estimation_method"),
        Native("temporal_granularity"),
        Native("updated_at"),
        Native("created_at"),
    ),
    values={
        "time": "n_datetime",
        "zone": "n_zone",
        "accounting": "'location'",
        "kind": "'average'",
        "factors": "n_emission_factor_type",
        "gco2e_per_kwh": "n_carbon_intensity",
        "basis": "CASE lower(n_is_estimated) WHEN 'true' THEN 'estimated' "
        "WHEN 'false' THEN 'measured' END",
        "estimation_method": "n_estimation_method",
    },
    bounds=(
        NEGATIVE,
        NOWHERE,
        Check(
            "sandbox_data",
            "estimationMethod",
            "(estimation_method = 'SANDBOX_MODE_DATA')",
            "'a sandbox token answers with invented values; use a token of a paid or trial plan'",
        ),
        Check(
            "granularity_unknown",
            "temporalGranularity",
            f"(NOT {one_of('n_temporal_granularity', _GRANULARITIES)})",
            "quoted(n_temporal_granularity) || ' is no part of an hour'",
        ),
        Check(
            "word_unknown",
            "emissionFactorType",
            f"(NOT {one_of('factors', ('lifecycle', 'direct'))})",
            "quoted(factors) || ' is none of lifecycle, direct'",
        ),
    ),
)


class ElectricityMapsAsker:
    """Asks for one zone and day, with one call."""

    def __init__(self, api: Api, options: ElectricityMapsOptions, secrets: Mapping[str, str]):
        self._api = api
        self._factors = options.factors
        self._token = asked_for(secrets, TOKEN, "Electricity Maps")

    def answer(self, zone: str, day: date) -> bytes | None:
        """The raw answer; None where there is nothing for the zone on that day.

        Raises Unavailable, SettingsError.
        """
        reply = self._api.get(
            "carbon-intensity/past-range",
            about=f"zone {zone}",
            params={
                "zone": zone,
                "start": f"{day.isoformat()}T00:00:00Z",
                "end": f"{(day + timedelta(days=1)).isoformat()}T00:00:00Z",
                "emissionFactorType": self._factors,
                "temporalGranularity": "hourly",
            },
            headers={"auth-token": self._token},
            passing=(_NO_DATA,),
        )
        if reply.status == _NO_DATA:
            if "no recent data" in reply.text.lower():
                return None
            raise self._api.refused(reply, f"zone {zone}")
        return reply.body if _rows_of(self._api, reply.document, zone) else None


def _rows_of(api: Api, document: Any, zone: str) -> list[Any]:
    """Rows of an answer about the zone that was asked. Raises Unavailable for another answer."""
    rows = document.get("data") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise api.unexpected(f"zone {zone}", "a list under data")
    told = document.get("zone", zone)
    if told != zone:
        raise api.unexpected(f"zone {zone}", f"an answer about it, not about {str(told)[:40]!r}")
    return rows


ELECTRICITY_MAPS = Configurable(
    ElectricityMapsOptions, lambda options: _FORMAT, documents=True, asker=ElectricityMapsAsker
)
"""The format `electricity_maps`."""
