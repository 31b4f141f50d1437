"""Energy and carbon of our own training, by CodeCarbon: offline, quiet, and never in the way.

What is trained is the engines' business; a run goes on where nothing can be measured, and says so.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.energy.results import TrainingEnergy
from finops_dagster.storage.days import DayStore

DOCUMENT = "training_energy"
_COUNTERS = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
"""Energy counter of the processor's package, which CodeCarbon reads where it may."""
_SECONDS_BETWEEN = 2
_FAULTS = (ImportError, OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError)


class TrainingMeter:
    """What runs inside it is measured: this process alone, its processor, memory and GPUs.

    subject: whose training it is, as its gate is named. country: ISO 3166-1 alpha-3, empty for the
    average of the world. After it, `result` says what was used, or why that is not known.
    """

    def __init__(self, subject: str, country: str) -> None:
        self.subject, self.country = subject, country
        self.result: TrainingEnergy | Abstained = _unknown(subject, "it has not ended")
        self._tracker: Any = None
        self._since = 0.0

    def __enter__(self) -> Self:
        self._since = time.monotonic()
        try:
            from codecarbon import OfflineEmissionsTracker

            # it logs at its own level from the first line on, before it reads what it is asked for
            logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
            self._tracker = OfflineEmissionsTracker(
                country_iso_code=self.country or None,
                project_name=self.subject,
                tracking_mode="process",
                measure_power_secs=_SECONDS_BETWEEN,
                save_to_file=False,
                save_to_api=False,
                save_to_logger=False,
                save_to_prometheus=False,
                save_to_logfire=False,
                log_level="critical",
                # else it keeps a lock file in the folder of temporary files
                allow_multiple_runs=True,
            )
            self._tracker.start()
        except _FAULTS as fault:
            self._tracker, self.result = None, _unknown(self.subject, _words(fault))
        self._since = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        seconds = time.monotonic() - self._since
        if self._tracker is None:
            return
        try:
            self._tracker.stop()
            self.result = self._read(self._tracker.final_emissions_data, seconds)
        except _FAULTS as failed:
            self.result = _unknown(self.subject, _words(failed))

    def _read(self, told: Any, seconds: float) -> TrainingEnergy | Abstained:
        kwh, carbon = float(told.energy_consumed), float(told.emissions)
        if not kwh > 0:
            return _unknown(self.subject, "CodeCarbon found neither a processor nor memory")
        how = (
            "measured by the processor's energy counters"
            if os.access(_COUNTERS, os.R_OK)
            else "estimated from the processor's rated power and the share of it this process used"
        )
        grid = (told.country_name if self.country else "") or "world"
        return TrainingEnergy(
            subject=self.subject,
            kwh=kwh,
            kg_co2e=carbon,
            seconds=seconds,
            method=f"CodeCarbon {told.codecarbon_version}, {how}, memory estimated from its size "
            f"(power usage effectiveness 1); carbon by the yearly average of the grid: {grid}",
        )


def keep(day: DayStore, results: Sequence[TrainingEnergy | Abstained]) -> list[Abstained]:
    """Write what is known as the day's document `training_energy`; returns what is not."""
    known = [asdict(one) for one in results if isinstance(one, TrainingEnergy)]
    day.write_document(DOCUMENT, known)
    return [one for one in results if isinstance(one, Abstained)]


def _unknown(subject: str, why: str) -> Abstained:
    return Abstained(subject=subject, reason=f"energy of its training is not known: {why}")


def _words(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {fault}"
