"""Usage that could be committed to through the warehouse: hours kept, every sum conserved."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.dbt.landing import Estate, at, charge


def test_hours_are_kept_and_sum_to_the_bill(tmp_path: Path) -> None:
    """An hour counted twice would be committed to twice, and one lost never."""
    estate = Estate(tmp_path)
    compute: dict[str, Any] = {"service_category": "Compute", "consumed_unit": "Hours"}
    rows = [
        charge(
            hour, "2026-01-05", "1.5", **compute, contracted_cost=Decimal(2),
            charge_period_start=at(f"2026-01-05T{hour:02}:00"),
            charge_period_end=at(f"2026-01-05T{hour + 1:02}:00"),
        )
        for hour in range(3)
    ]  # fmt: skip
    day: dict[str, Any] = {"charge_period_end": at("2026-01-07T00:00")}
    rows += [
        charge(7, "2026-01-06", "5", **compute, **day),
        charge(8, "2026-01-06", "-1", **compute, **day, charge_class="Correction"),
        charge(9, "2026-01-06", "9", service_category="Storage", consumed_unit="GB-Months", **day),
    ]
    estate.deliver("charges", "2026-01-01", "one", "2026-01-08T00:00", rows)
    built = estate.dbt("build", "--select", "tag:billing", "--exclude-resource-type", "unit_test")
    assert built.exit_code == 0, built.output
    found = estate.query(
        "select used_at, is_hourly, kind, effective_cost, on_demand_cost"
        " from fct_committable_usage_hourly order by used_at"
    )
    assert found == [
        *(
            (at(f"2026-01-05T0{hour}:00"), True, "on_demand", Decimal("1.5"), Decimal(2))
            for hour in range(3)
        ),
        (at("2026-01-06T00:00"), False, "on_demand", Decimal(4), Decimal(4)),
    ]
