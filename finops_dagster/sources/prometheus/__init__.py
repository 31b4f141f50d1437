"""Measurements from Prometheus, and from every store that speaks its HTTP API.

What is asked for is data, in `catalogue`; files of measurements are read by `sources.telemetry`.
"""

from __future__ import annotations

from finops_dagster.sources.prometheus.options import Credentials, PrometheusOptions
from finops_dagster.sources.prometheus.source import PrometheusSource
from finops_dagster.sources.prometheus.statistics import Statistics

__all__ = ["Credentials", "PrometheusOptions", "PrometheusSource", "Statistics"]
