"""A source's options on their way from the settings file to its format."""

from __future__ import annotations

from pathlib import Path

import pytest

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import load

RATES = "sku,unit,currency,valid_from,unit_price\ncpu,Hours,EUR,2025-01-01,0.5\n"
USE = "start,end,resource,sku,quantity,unit\n2025-01-01,2025-01-02,esx-1,cpu,24,Hours\n"


def _estate(folder: Path, options: str) -> Estate:
    (folder / "lists").mkdir()
    (folder / "lists" / "rates.csv").write_text(RATES, encoding="utf-8")
    (folder / "use.csv").write_text(USE, encoding="utf-8")
    config = folder / "finops.yaml"
    config.write_text(
        "estate: metal\n"
        f"billing: [{{name: metal, path: use.csv, format: rate_card, options: {options}}}]\n",
        encoding="utf-8",
    )
    return Estate(load(config))


def test_paths_among_options_start_from_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run by the scheduler starts from another folder than one by hand."""
    estate = _estate(tmp_path, "{rates: lists/rates.csv}")
    monkeypatch.chdir("/")
    (source,) = estate.sources("charges")
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        assert result.rows.read_all()["billed_cost"].to_pylist() == [12]
        result.quarantine.read_all()


@pytest.mark.parametrize(
    ("options", "named"),
    [("{}", "rates"), ("{rates: no.csv}", "rates"), ("{rates: lists/rates.csv, x: y}", "x")],
)
def test_a_wrong_option_is_named(tmp_path: Path, options: str, named: str) -> None:
    """Who cannot see which option is wrong tries all of them."""
    estate = _estate(tmp_path, options)
    with pytest.raises(SettingsError) as error:
        estate.sources("charges")
    assert [fault.column for fault in error.value.faults] == [f"metal: options.{named}"]
