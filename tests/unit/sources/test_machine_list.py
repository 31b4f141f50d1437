"""A user's list of machine types: what is read of it, and every cell that is wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.sources.machine_list import read_machine_list

AS_OF = date(2026, 3, 29)
HEADER = "instance_type,region,currency,price_per_hour,vcpus,memory_gib,what,valid_from,valid_to"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "types.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_types_are_read_with_their_prices(tmp_path: Path) -> None:
    """A database's class is told by its machine's name, as bills tell it."""
    path = written(
        tmp_path,
        "m5.large,eu-west-1,USD,0.107,2,8,,,",
        "db.m5.large,eu-west-1,USD,0.196,,,database,,",
    )
    found = read_machine_list(path, AS_OF)

    assert found["instance_type"].tolist() == ["m5.large", "m5.large"]
    assert found["what"].tolist() == ["machine", "database"]
    assert found["price_per_hour"].tolist() == [Decimal("0.107"), Decimal("0.196")]
    assert found["vcpus"].tolist() == [Decimal(2), None]


def test_only_prices_of_the_day_hold(tmp_path: Path) -> None:
    """A day that is decided again must not know next month's price."""
    path = written(
        tmp_path,
        "m5.large,eu-west-1,USD,0.1,,,,,2026-03-29",
        "m5.large,eu-west-1,USD,0.2,,,,2026-03-29,2026-04-01",
        "m5.large,eu-west-1,USD,0.3,,,,2026-04-01,",
    )
    assert read_machine_list(path, AS_OF)["price_per_hour"].tolist() == [Decimal("0.2")]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (",eu-west-1,USD,1,,,,,", "instance_type"),
        ("m5.large,,USD,1,,,,,", "region"),
        ("m5.large,x,usd,1,,,,,", "currency"),
        ("m5.large,x,USD,,,,,,", "price_per_hour"),
        ("m5.large,x,USD,NaN,,,,,", "price_per_hour"),
        ("m5.large,x,USD,-1,,,,,", "price_per_hour"),
        ("m5.large,x,USD,1,0,,,,", "vcpus"),
        ("m5.large,x,USD,1,,,cache,,", "what"),
        ("m5.large,x,USD,1,,,,29.3.2026,", "valid_from"),
    ],
)
def test_every_wrong_cell_is_told(tmp_path: Path, row: str, column: str) -> None:
    """A price that is left out in silence makes a type look as if nobody sold it."""
    with pytest.raises(SettingsError) as raised:
        read_machine_list(written(tmp_path, "m5.large,x,USD,1,,,,,", row), AS_OF)

    assert [(fault.row, fault.column) for fault in raised.value.faults] == [(2, column)]


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    """Nothing, other columns, and bytes that are no text."""
    with pytest.raises(SettingsError) as raised:
        read_machine_list(written(tmp_path, header="sku,price"), AS_OF)
    assert len(raised.value.faults) == 4
    with pytest.raises(SettingsError):
        read_machine_list(tmp_path / "none.csv", AS_OF)
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError):
        read_machine_list(tmp_path / "odd.csv", AS_OF)
