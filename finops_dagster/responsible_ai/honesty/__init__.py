"""Whether forecasts were as right as they said: coverage and bias, tested as each day comes.

Which forecasts are read, and what an alarm leads to, is decided elsewhere.
"""

from finops_dagster.responsible_ai.honesty.betting import (
    confidence_sequence,
    discoveries,
    e_detector,
    e_process,
)
from finops_dagster.responsible_ai.honesty.coverage import CoverageResult, judge_coverage
from finops_dagster.responsible_ai.honesty.forecasts import (
    HonestyResult,
    breaches_of,
    judge_forecasts,
)

__all__ = [
    "CoverageResult",
    "HonestyResult",
    "breaches_of",
    "confidence_sequence",
    "discoveries",
    "e_detector",
    "e_process",
    "judge_coverage",
    "judge_forecasts",
]
