"""Movable work, judged piece by piece: at which hour it starts and in which region it runs.

Both judgements live in modules of their own; what is labelled movable is read elsewhere too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from finops_dagster.domain.decisions import Abstained, Finding
from finops_dagster.engines.optimisation.carbon_hours import carbon_hours
from finops_dagster.engines.optimisation.carbon_region import carbon_region
from finops_dagster.engines.optimisation.hourly_energy import daily_traffic, hourly_energy
from finops_dagster.engines.optimisation.inputs import FindResult, take
from finops_dagster.engines.optimisation.movable import Movable
from finops_dagster.engines.optimisation.placement_inputs import (
    UNKNOWN,
    WINDOW_DAYS,
    Marts,
    Place,
    PlacementConfig,
    Seen,
    by_hour,
)
from finops_dagster.engines.optimisation.region_prices import RegionPrices, net_costs


def place_work(
    work: Mapping[str, Movable],
    places: Mapping[str, Place],
    marts: Marts,
    as_of: date,
    config: PlacementConfig | None = None,
) -> FindResult:
    """CARBON_HOURS and CARBON_REGION of the work that is labelled movable, for `as_of`.

    Rows after `as_of` are not looked at. Work without a place is where nobody knows.
    """
    config = config or PlacementConfig()
    energy = hourly_energy(marts.measurements, marts.energy, as_of, WINDOW_DAYS)
    traffic = daily_traffic(marts.measurements, as_of, WINDOW_DAYS)
    net = net_costs(marts.costs, as_of)
    prices = RegionPrices(marts.priced, marts.skus)
    grids = by_hour(marts.intensity, as_of)
    frames = (energy, traffic, marts.costs, net)
    by_resource = [dict(list(frame.groupby("resource"))) for frame in frames]
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for resource, allows in sorted(work.items()):
        place = places.get(resource, Place(region=None))
        seen = Seen(
            *(
                found.get(resource, frame.iloc[:0])
                for found, frame in zip(by_resource, frames, strict=True)
            )
        )
        if allows.hours:
            grid = grids.get(str(place.region), UNKNOWN)
            judged = carbon_hours(resource, allows, place, seen.energy, grid, as_of)
            take(judged, findings, abstained)
        if allows.regions:
            moved, out = carbon_region(resource, allows, place, seen, grids, prices, as_of, config)
            findings += [moved] if moved is not None else []
            abstained += out
    findings.sort(key=lambda f: (f.saving_per_month.currency, -f.saving_per_month.mid, f.id))
    return FindResult(findings=findings, abstained=abstained)
