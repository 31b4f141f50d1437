"""Grid carbon intensity by region and hour, location-based or market-based.

How such rows are read is in `signals`.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import INTENSITIES
from finops_dagster.sources.signals import SignalFormat, outside

CARBON = SignalFormat(
    table=INTENSITIES,
    key=("region", "accounting", "time"),
    bounds=(outside("gco2e_per_kwh", "gco2e_per_kwh < 0", "zero or more"),),
    words={
        "accounting": {
            "location": "location",
            "locationbased": "location",
            "market": "market",
            "marketbased": "market",
        }
    },
)
