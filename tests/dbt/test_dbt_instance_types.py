"""What the names of instance types say of their machines, beside published lists of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.dbt.landing import PROJECT, Estate, charge

LISTS = {
    "aws": ("Instance type", "Instance vCPU", "Instance Memory (in GB)"),
    "gcp": ("Machine type", "Instance vCPUs", "Instance Memory"),
    "azure": ("Virtual Machine", "Instance vCPUs", "Instance Memory"),
}
"""Provider -> columns of the type, its vCPUs and its memory."""
KNOWN_AT_LEAST = {"aws": 0.9, "gcp": 0.7, "azure": 0.3}
"""Share of a list's types whose cores are told. Microsoft's older names do not say them."""


def published(folder: Path, provider: str) -> dict[str, tuple[float, float]]:
    """Type -> vCPUs and GiB of memory, decimal commas included."""
    name, cores, memory = LISTS[provider]
    with (folder / f"{provider}-instances.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row[name] and row[cores].strip().isdigit()]
    return {
        row[name].strip(): (float(row[cores]), float(row[memory].replace(",", "."))) for row in rows
    }


def test_names_say_what_lists_say(tmp_path: Path) -> None:
    """A machine taken for one of another size would draw another's power."""
    folder = PROJECT.parents[1] / "shared" / "data" / "carbon" / "ccf_coefficients" / "data"
    if not folder.is_dir():
        pytest.skip("third-party data is not beside this checkout")
    lists = {provider: published(folder, provider) for provider in LISTS}
    estate = Estate(tmp_path)
    types = [(provider, name) for provider, known in lists.items() for name in known]
    rows = [
        charge(
            number, "2026-01-05", "1", sku_id=f"{provider}/{name}", provider_name=provider,
            sku_meter=f"{name} hours", consumed_unit="Hours", service_category="Compute",
        )
        for number, (provider, name) in enumerate(types)
    ]  # fmt: skip
    estate.deliver("charges", "2026-01-01", "one", "2026-01-06T00:00", rows)
    built = estate.dbt(
        "build", "--select", "+dim_skus", "--exclude-resource-type", "unit_test", "test"
    )
    assert built.exit_code == 0, built.output
    told = estate.query("select sku_id, core_count, memory_gib from dim_skus")
    assert len(told) == len(types) > 500
    cores_told = dict.fromkeys(lists, 0)
    wrong = []
    for sku, cores, memory in told:
        provider, _, name = sku.partition("/")
        expected = lists[provider][name]
        cores_told[provider] += cores is not None
        if cores is not None and cores != expected[0]:
            wrong.append((sku, cores, *expected))
        # lists round GiB; one has MiB in places, and of caches what is left for data
        said = not name.startswith("cache.") and expected[1] < 64 * expected[0]
        if said and memory is not None and abs(memory - expected[1]) > max(0.5, expected[1] / 30):
            wrong.append((sku, memory, *expected))
    assert wrong == []
    for provider, known in lists.items():
        share = cores_told[provider] / len(known)
        print(f"\n{provider}: cores of {share:.0%} of {len(known)} types are told")
        assert share >= KNOWN_AT_LEAST[provider]
