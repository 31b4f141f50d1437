"""Machines from a publication to findings: bill, SKUs, measurements and the repository's value."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from finops_dagster.defs.estate import DBT_PROJECT, Estate
from finops_dagster.defs.insight import billed
from finops_dagster.defs.insight.waste.machines import machines
from finops_dagster.domain.decisions import FindingKind, ValueLocation
from finops_dagster.settings.placement import PlacementSettings
from finops_dagster.settings.sizing import SizingSettings
from tests.dagster.test_billed import published

AS_OF = date(2026, 3, 20)
MARCH = date(2026, 3, 1)
DAYS = [date(2026, 3, day) for day in range(7, 21)]
DECLARED = "aws_instance/infra/web"
_SKU = """
    'src' as source, date '2026-03-01' as billing_period, 'AWS' as provider_name,
    'Compute' as service_category, 'AmazonEC2' as service_name, sku as sku_id,
    'BoxUsage:' || kind as sku_meter, 'Hrs' as consumed_unit
"""
_TYPES = "(values ('x', 'm5.xlarge', 4, 16, 4.8), ('l', 'm5.large', 2, 8, 2.4)) as types"
COSTS = f"""
    select {_SKU}, date '2026-03-06' + day::integer as charge_date, '1' as billing_account_id,
        '1' as sub_account_id, 'eu-west-1' as region_id, 'arn:x:instance/i-' || sku as resource_id,
        null::varchar as resource_name, null::varchar as resource, 'shop' as team,
        'prod' as environment, null::varchar as cluster, 'Usage' as charge_category,
        null::varchar as commitment_discount_status, 'USD' as billing_currency,
        24::decimal(38, 10) as consumed_quantity, cost::decimal(38, 10) as effective_cost,
        cost::decimal(38, 10) as list_cost, cost::decimal(38, 10) as contracted_cost
    from {_TYPES} (sku, kind, cores, gib, cost), range(1, 15) as days (day)
"""
SKUS = f"""
    select {_SKU}, 'instance_hours' as usage_kind,
        'On Demand Linux ' || kind || ' Instance Hour' as charge_description,
        kind as instance_type, cores::double as core_count, gib::double as memory_gib,
        null::double as gpu_count
    from {_TYPES} (sku, kind, cores, gib, cost)
"""
MEASURED = """
    select time::date as day, time::timestamptz as time, 3600 as interval_seconds, 'vms' as cluster,
        'Node' as kind, 'i-x' as name, 0.8 as cpu_cores, null::double as cpu_percent,
        3.0 * 1073741824 as memory_used_bytes, 13.0 * 1073741824 as memory_available_bytes,
        1e6 as network_receive_bytes_per_second, 1e6 as network_transmit_bytes_per_second,
        1e6 as disk_read_bytes_per_second, 1e6 as disk_written_bytes_per_second,
        null::double as connections
    from range(timestamp '2026-03-07', timestamp '2026-03-21', interval 1 hour) as hours (time)
"""


def found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listed: Path | None = None,
    **marts: tuple[str, str, list[date]],
) -> Any:
    """What the reader makes of a publication whose first machine Terraform declares."""
    value = ValueLocation(
        resource=DECLARED, field="instance_type", value="m5.xlarge", file="main.tf", document=0,
        start_byte=0, end_byte=1, editable=True, reason="",
    )  # fmt: skip
    monkeypatch.setattr("finops_dagster.defs.insight.resources.reader", lambda *_: None)
    monkeypatch.setattr(
        billed, "declared_names", lambda *_: {("1", "arn:x:instance/i-x"): DECLARED}
    )
    estate = SimpleNamespace(
        settings=SimpleNamespace(
            sizing=SizingSettings(machine_types=listed), placement=PlacementSettings()
        ),
        dbt_project=DBT_PROJECT,
        index=lambda _: SimpleNamespace(locations=lambda: [value]),
    )
    return machines(cast(Estate, estate), published(tmp_path, marts), AS_OF)


def test_a_measured_machine_is_sized_and_its_declaration_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.20 an hour is paid; an m5.large costs half of that in the very bill."""
    result = found(
        tmp_path,
        monkeypatch,
        fct_costs_daily=(COSTS, "billing_period", [MARCH]),
        dim_skus=(SKUS, "billing_period", [MARCH]),
        fct_machine_measurements=(MEASURED, "day", DAYS),
    )
    (finding,) = result.findings
    assert (finding.kind, finding.resource) == (FindingKind.RIGHTSIZE_MACHINE, DECLARED)
    assert (finding.current, finding.proposed) == ("m5.xlarge", "m5.large")
    assert finding.saving_per_month.mid == 73
    assert (finding.owner, finding.environment) == ("shop", "prod")
    assert [a.subject for a in result.abstained] == ["machines"]


def test_a_peak_before_the_window_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two weeks do not show a month's end; one row of it is read for each day."""
    busy = MEASURED.replace("2026-03-07", "2026-02-27").replace("2026-03-21", "2026-02-28")
    measured = f"({MEASURED}) union all by name ({busy.replace('0.8 as cpu', '3.5 as cpu')})"
    result = found(
        tmp_path,
        monkeypatch,
        fct_costs_daily=(COSTS, "billing_period", [MARCH]),
        dim_skus=(SKUS, "billing_period", [MARCH]),
        fct_machine_measurements=(measured, "day", [date(2026, 2, 27), *DAYS]),
    )
    assert result.findings == []
    assert "but it used 3.5 vCPUs before" in result.abstained[0].reason


def test_a_list_prices_what_no_bill_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An m6i is not billed here: without the list nobody could say what it costs."""
    listed = tmp_path / "types.csv"
    listed.write_text(
        "instance_type,region,currency,price_per_hour,vcpus,memory_gib,software\n"
        "m5.xlarge,eu-west-1,USD,0.2,,,Linux\nm6i.xlarge,eu-west-1,USD,0.15,4,16,Linux\n"
    )
    result = found(
        tmp_path,
        monkeypatch,
        listed,
        fct_costs_daily=(COSTS, "billing_period", [MARCH]),
        dim_skus=(SKUS, "billing_period", [MARCH]),
    )
    (finding,) = result.findings
    assert (finding.kind, finding.proposed) == (FindingKind.MACHINE_GENERATION, "m6i.xlarge")
    # 0.20 x 730 x (1 - 0.15 / 0.20)
    assert finding.saving_per_month.mid == Decimal("36.5")


def test_machines_that_nobody_measures_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of the same sentence hides everything else."""
    result = found(
        tmp_path,
        monkeypatch,
        fct_costs_daily=(COSTS, "billing_period", [MARCH]),
        dim_skus=(SKUS, "billing_period", [MARCH]),
    )
    assert result.findings == []
    assert [a.subject for a in result.abstained] == ["machines"]
    assert "2 of 2" in result.abstained[0].reason


@pytest.mark.parametrize("kinds", ["'snapshot'", "'instance_extra'"])
def test_an_estate_without_machines_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: str
) -> None:
    """Nothing is missing where nothing is."""
    result = found(
        tmp_path,
        monkeypatch,
        fct_costs_daily=(COSTS, "billing_period", [MARCH]),
        dim_skus=(SKUS.replace("'instance_hours'", kinds), "billing_period", [MARCH]),
    )
    assert (result.findings, result.abstained) == ([], [])
