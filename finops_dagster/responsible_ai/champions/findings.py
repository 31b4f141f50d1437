"""A promotion or rollback of one of our own engines as a finding: one line of a manifest.

Whether it is promoted is told in `comparison`; what policy says of it, by policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from finops_dagster.domain.decisions import Evidence, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON, NO_MONEY
from finops_dagster.domain.periods import day_start
from finops_dagster.responsible_ai.champions.comparison import Comparison, Terms

ENGINE = "champions/1"
FIELD = "spec.artefact"
PINNED = "spec.pinned"


def figures(compared: Comparison, terms: Terms) -> dict[str, float]:
    """What was measured and the limits it was held to, as policy reads them; shares of error."""
    found = {
        "error_saved_share": compared.better.value,
        "error_saved_share_limit": terms.margin,
        "p_value": compared.p_value,
        "windows": float(compared.origins),
        "series": float(compared.series),
    }
    if compared.better.low is not None:
        found["error_saved_share_low"] = compared.better.low
    if compared.segments:
        found["worst_segment_error_more_share"] = compared.segments[0].worse.value
        found["worst_segment_error_more_share_limit"] = terms.segment_limit
    return found


def engine_finding(
    kind: FindingKind,
    *,
    resource: str,
    field: str,
    current: str,
    proposed: str,
    owner: str,
    environment: str,
    reasons: Sequence[str],
    measured: dict[str, float],
    as_of: date,
    wrong_if: str = "",
) -> Finding:
    """One finding. It saves no money: forecasts that are right are worth what is decided by them.

    `field` is empty where no manifest names the artefact.
    """
    return Finding(
        kind=kind,
        resource=resource,
        field=field,
        current=current,
        proposed=proposed,
        owner=owner,
        environment=environment or "unknown",
        saving_per_month=NO_MONEY,
        carbon_kg_per_month=NO_CARBON,
        risk=0.0,
        confidence=1.0,
        evidence=Evidence(
            window_start=day_start(as_of),
            window_end=day_start(as_of + timedelta(days=1)),
            samples=int(measured.get("windows", 0)),
            figures=measured,
        ),
        reason=" ".join(reasons),
        engine=ENGINE,
        as_of=as_of,
        wrong_if=wrong_if,
    )
