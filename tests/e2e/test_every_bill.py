"""Every real export at hand, each a source of its own, in one run: what lands is what was billed.

What each format makes of its columns is asked beside the formats.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from finops_dagster.domain.deliveries import Landed
from tests.e2e.estate import ROOT, finops

pytestmark = pytest.mark.conformance

BILLS = ROOT.parent / "shared" / "data" / "billing"
PRICES = """kind,sku,unit,currency,valid_from,unit_price
price,cpu,vCPU-Hours,EUR,2000-01-01,0.031
price,memory,GiB-Hours,EUR,2000-01-01,0.004
"""
FORMATS = {
    "focus_sample_1_0/**/*.csv": "focus",
    "focus_goldens_1_2_and_1_3/**/*cost_and_usage*.csv": "focus",
    "provider_exports/aws/*": "aws_cur",
    "provider_exports/azure/*": "azure_mca",
    "provider_exports/gcp/*": "gcp_detailed",
    "provider_exports/ocp/*": "rate_card",
    "finops_toolkit_maps/**/EA_*.csv": "azure_ea",
}
ALLOCATION = {
    "rules": [
        {"name": "accounts", "set": {"team": {"column": "sub_account_id"}}},
        {"name": "services", "when": {"sub_account_id": ""}, "set": {"product": "the rest"}},
    ],
    "shared": [
        {"name": "tax", "when": {"charge_category": ["Tax", "Credit"]}, "split": "even"},
        {
            "name": "some services",
            "when": {"service_name": ["*storage*", "*compute*"]},
            "split": "proportional",
            "by": "billed_cost",
        },
        {
            "name": "regions",
            "when": {"region_id": "us-*"},
            "split": "fixed",
            "shares": {"north": "0.333333333", "south": "0.25"},
        },
    ],
}
"""Rules that move money in any bill."""
OPTIONS = {"rate_card": {"rates": "rates.csv", "use": "openshift"}}
"""Where exports of a format are; each file is a source of its own."""


def sources() -> dict[str, tuple[str, Path]]:
    if not BILLS.exists():
        pytest.skip(f"{BILLS.relative_to(ROOT.parent)} is not on this machine")
    found = [
        (format_, path)
        for pattern, format_ in FORMATS.items()
        for path in sorted(BILLS.glob(pattern))
        if path.is_file()
    ]
    return {f"source-{number}": one for number, one in enumerate(found)}


def test_every_bill_is_conserved_or_refused_with_a_reason(tmp_path: Path) -> None:
    """Harm: an export that others have adds up here alone, in a test of its format, and not in the
    marts that people look at."""
    named = sources()
    assert {format_ for format_, _ in named.values()} == set(FORMATS.values())
    (tmp_path / "rates.csv").write_text(PRICES)
    billing = [
        {
            "name": name,
            "path": str(path),
            "format": format_,
            "options": OPTIONS.get(format_, {}),
        }
        for name, (format_, path) in named.items()
    ]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"estate": "all", "billing": billing}))
    first = finops(tmp_path, "run", "--dry-run", "--config", "mine.yaml", "--json")
    landed = [
        Landed.model_validate_json(path.read_text(encoding="utf-8"))
        for path in (tmp_path / ".finops" / "landing" / "records" / "charges").rglob("*.json")
    ]
    refused = {one.delivery.source for one in landed if one.set_faults}
    # one bad export stops the line: it is told by name, taken out, and the rest goes on
    assert first.code == (1 if refused else 0)
    told = " ".join(f"{fault['file']} {fault['hint']}" for fault in first.json["errors"])
    for name in refused:
        assert named[name][1].name in told
    kept = [one for one in billing if one["name"] not in refused]
    assert len(kept) >= len(billing) - 1
    (tmp_path / "allocation.yaml").write_text(yaml.safe_dump(ALLOCATION))
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(
            {
                "estate": "all",
                "billing": kept,
                "allocation": "allocation.yaml",
                "grid": {"yearly": True},
            }
        )
    )
    second = finops(tmp_path, "run", "--dry-run", "--config", "mine.yaml", "--json")
    assert second.code == 0, second.out + second.err

    answer = finops(tmp_path, "ledger", "conserve", "--config", "mine.yaml", "--json")
    assert answer.code == 0, answer.out + answer.err
    billed = [row for row in answer.items if row["metric"] == "billed_cost"]
    assert {row["source"] for row in billed} == {one["name"] for one in kept}
    assert len(billed) >= len(kept)
    for row in answer.items:
        assert Decimal(row["difference"]) == 0
    conserved(tmp_path, answer.items)
    emitted(tmp_path)


def conserved(folder: Path, billed: list[dict[str, str]]) -> None:
    """What is allocated and what is not are the bill, to the last decimal, of all of it."""
    mart = "fct_allocation_conservation"
    rows = finops(folder, "marts", mart, "--config", "mine.yaml", "--json").items
    told = {
        (row["billing_period"], row["source"], row["billing_currency"], row["metric"]): row
        for row in rows
    }
    for bill in billed:
        row = told[bill["period"][:10], bill["source"], bill["currency"], bill["metric"]]
        whole = Decimal(row["allocated_total"]) + Decimal(row["unallocated_total"])
        assert whole == Decimal(row["billed_total"]) == Decimal(bill["mart"])
        assert Decimal(row["given_total"]) + Decimal(row["received_total"]) == 0
    assert len(told) == len(billed)
    assert sum(Decimal(row["received_total"]) != 0 for row in rows) > len(rows) / 4


def emitted(folder: Path) -> None:
    """So is what is estimated of their SKUs; what is not known says why."""
    rows = finops(folder, "marts", "fct_carbon_conservation", "--config", "mine.yaml", "--json")
    for row in rows.items:
        assert Decimal(row["difference"]) == Decimal(row["measured_difference"]) == 0
        whole = Decimal(row["allocated_total"]) + Decimal(row["unallocated_total"])
        assert whole == Decimal(row["estimated_total"])
    for metric in ("energy_kwh", "location_gco2e", "embodied_gco2e"):
        assert any(
            Decimal(row["estimated_total"]) > 0 for row in rows.items if row["metric"] == metric
        )
    told = finops(
        folder, "marts", "fct_carbon_coverage", "--limit", "0", "--config", "mine.yaml", "--json"
    )
    known = {row["source"] for row in told.items if row["carbon_basis"] == "estimated"}
    print(f"\nenergy is known of charges of {len(known)} sources: {sorted(known)}")
    assert len(known) > 5
    assert all(row["reason"] for row in told.items if row["carbon_basis"] is None)
