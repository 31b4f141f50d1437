"""Grid carbon intensity by region or zone and hour, location-based or market-based.

How such rows are read is in `signals`; answers of those who measure it in `electricity_maps` and
`watttime`.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import INTENSITIES
from finops_dagster.sources.signals import SignalFormat, outside
from finops_dagster.sources.views import Check

KEY = ("region", "zone", "accounting", "kind", "factors", "time")
PARTIAL_KEY = ("region", "zone", "kind", "factors")

NOWHERE = Check(
    "value_missing",
    "region",
    "(region IS NULL AND zone IS NULL)",
    "'neither a region nor a zone is given; the row is useless without'",
)
NEGATIVE = outside("gco2e_per_kwh", "gco2e_per_kwh < 0", "zero or more")

CARBON = SignalFormat(
    table=INTENSITIES,
    key=KEY,
    partial_key=PARTIAL_KEY,
    needed=("gco2e_per_kwh",),
    # a file that has only what every such file has says nothing of these
    optional=(
        "region",
        "zone",
        "kind",
        "factors",
        "low_gco2e_per_kwh",
        "high_gco2e_per_kwh",
        "basis",
        "estimation_method",
    ),
    bounds=(
        NEGATIVE,
        NOWHERE,
        outside(
            "low_gco2e_per_kwh",
            "low_gco2e_per_kwh < 0 OR low_gco2e_per_kwh > gco2e_per_kwh",
            "between zero and the value",
        ),
        outside(
            "high_gco2e_per_kwh",
            "high_gco2e_per_kwh < gco2e_per_kwh",
            "the value or more",
        ),
    ),
    words={
        "accounting": {
            "location": "location",
            "locationbased": "location",
            "market": "market",
            "marketbased": "market",
        },
        "kind": {"average": "average", "marginal": "marginal"},
        "factors": {"lifecycle": "lifecycle", "direct": "direct"},
        "basis": {"measured": "measured", "estimated": "estimated"},
    },
)
