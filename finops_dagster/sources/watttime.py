"""WattTime: answers of /v3/historical of its API, and how it is asked for them.

How rows are had from answers is in `answers`, how an API is asked patiently in `extraction`.
API reference: https://docs.watttime.org (GET /login, GET /v3/historical).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

from pydantic import Field

from finops_dagster.domain.schemas import INTENSITIES, LogicalType
from finops_dagster.sources.answers import AnswerFormat
from finops_dagster.sources.api_calls import Api, Reply, asked_for
from finops_dagster.sources.bills import Native
from finops_dagster.sources.carbon import KEY, NEGATIVE, NOWHERE, PARTIAL_KEY
from finops_dagster.sources.extraction import ZoneOptions
from finops_dagster.sources.options import Configurable
from finops_dagster.sources.views import Check

USER, PASSWORD = "username", "password"
"""Names of the credentials that it asks for."""

GCO2_PER_KWH_OF_LB_PER_MWH = "0.45359237"
"""One pound is 0.45359237 kg exactly: international yard and pound agreement of 1959, NIST
Handbook 44, appendix C. Pounds per MWh are grams per kWh times it: the thousands cancel out."""

_UNIT = "lbs_co2_per_mwh"
_SIGNALS = {"co2_moer": "marginal", "co2_aoer": "average"}
"""Marginal operating emissions rate: of one MWh more. Average operating emissions rate."""
_REFUSED = 401


class WattTimeOptions(ZoneOptions):
    """Which of its signals is asked for."""

    signal: Literal["co2_moer", "co2_aoer"] = Field(
        default="co2_aoer",
        description="signal: co2_aoer (average) or co2_moer (marginal), the signal asked for",
    )


def _said(key: str) -> str:
    return f"json_extract_string(said, '$.{key}')"


_KIND = " ".join(f"WHEN '{signal}' THEN '{kind}'" for signal, kind in _SIGNALS.items())

_FORMAT = AnswerFormat(
    label="WattTime",
    table=INTENSITIES,
    key=KEY,
    partial_key=PARTIAL_KEY,
    natives=(
        Native("point_time", LogicalType.TIME, required=True),
        Native("value", LogicalType.FLOAT),
        Native("meta", required=True),
        Native("imputed_data_used"),
        Native("last_updated"),
    ),
    values={
        "said": "CASE WHEN json_valid(n_meta) THEN n_meta::JSON END",
        "unit": _said("units"),
        "signal": _said("signal_type"),
        "time": "n_point_time",
        "zone": _said("region"),
        "accounting": "'location'",
        "kind": f"CASE signal {_KIND} END",
        # what leaves the stacks: WattTime counts no mining, building and leaking
        "factors": "'direct'",
        "gco2e_per_kwh": f"n_value * {GCO2_PER_KWH_OF_LB_PER_MWH}::DOUBLE",
        "basis": "CASE lower(n_imputed_data_used) WHEN 'true' THEN 'estimated' ELSE 'measured' END",
        "estimation_method": "CASE WHEN basis = 'estimated' THEN 'imputed' END",
    },
    bounds=(
        NEGATIVE,
        NOWHERE,
        Check(
            "unit_unknown",
            "meta.units",
            f"(unit IS DISTINCT FROM '{_UNIT}')",
            f"quoted(coalesce(unit, '')) || ' is not {_UNIT}, which alone can be converted'",
        ),
        Check(
            "word_unknown",
            "meta.signal_type",
            "(kind IS NULL)",
            "quoted(coalesce(signal, '')) || ' is none of co2_moer, co2_aoer'",
        ),
    ),
)


class WattTimeAsker:
    """Asks for one region and day, with one call; logs in before the first."""

    def __init__(self, api: Api, options: WattTimeOptions, secrets: Mapping[str, str]):
        self._api = api
        self._signal = options.signal
        self._user = asked_for(secrets, USER, "WattTime")
        self._password = asked_for(secrets, PASSWORD, "WattTime")
        self._token = ""

    def answer(self, zone: str, day: date) -> bytes | None:
        """The raw answer; None where there is nothing for the region on that day.

        Raises Unavailable, SettingsError.
        """
        reply = self._ask(zone, day, passing=(_REFUSED,) if self._token else ())
        if reply.status == _REFUSED:
            # a token holds for half an hour
            self._token = ""
            reply = self._ask(zone, day, passing=())
        about = f"region {zone}"
        document = reply.document
        rows = document.get("data") if isinstance(document, dict) else None
        if not isinstance(rows, list) or not isinstance(document.get("meta"), dict):
            raise self._api.unexpected(about, "a list under data, and meta")
        if (told := document["meta"].get("region")) != zone:
            raise self._api.unexpected(about, f"an answer about it, not about {str(told)[:40]!r}")
        return reply.body if rows else None

    def _ask(self, zone: str, day: date, passing: tuple[int, ...]) -> Reply:
        if not self._token:
            self._token = self._login()
        return self._api.get(
            "v3/historical",
            about=f"region {zone}",
            params={
                "region": zone,
                "signal_type": self._signal,
                # both ends are included
                "start": f"{day.isoformat()}T00:00:00Z",
                "end": f"{day.isoformat()}T23:59:59Z",
                "include_imputed_marker": "true",
            },
            headers={"Authorization": f"Bearer {self._token}"},
            passing=passing,
        )

    def _login(self) -> str:
        reply = self._api.get("login", about="login", basic=(self._user, self._password))
        token = reply.document.get("token") if isinstance(reply.document, dict) else None
        if not isinstance(token, str) or not token:
            raise self._api.unexpected("login", "a token")
        self._api.hide(token)
        return token


WATTTIME = Configurable(
    WattTimeOptions, lambda options: _FORMAT, documents=True, asker=WattTimeAsker
)
"""The format `watttime`."""
