"""Bills of software and AI services: credits and tokens are prices and quantities, never money."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.unit.sources.conftest import Read, Row


def test_credits_land_beside_the_money_they_cost(
    tmp_path: Path,
    charge: Callable[..., Row],
    write_csv: Callable[..., Path],
    read_one: Callable[..., Read],
) -> None:
    """Credits added to dollars make a sum of nothing; credits dropped make a price of nothing."""
    bought: Row = charge(
        BilledCost="200000.00",
        EffectiveCost="0.00",
        ChargeCategory="Purchase",
        PricingCurrency="USD",
        PricingQuantity="100000",
        PricingUnit="Credit",
    )
    used: dict[str, Any] = charge(
        BilledCost="0.00",
        EffectiveCost="490.00",
        PricingCurrency="Credit",
        PricingCurrencyEffectiveCost="245",
        PricingCurrencyListUnitPrice="1",
        PricingCurrencyContractedUnitPrice="1",
        PricingQuantity="2.45",
        PricingUnit="1M Tokens",
        ConsumedQuantity="2450000",
        ConsumedUnit="Tokens",
        SkuId="model-a",
        SkuMeter="model-a output tokens",
    )
    found = read_one("focus", write_csv(tmp_path / "saas.csv", [bought, used]))
    assert found.landed.billed_landed == {"USD": Decimal(200000)}
    row = found.rows.to_pylist()[1]
    assert row["billing_currency"] == "USD"
    assert (row["pricing_currency"], row["pricing_currency_effective_cost"]) == ("Credit", 245)
    assert (row["pricing_unit"], row["pricing_quantity"]) == ("1M Tokens", Decimal("2.45"))
    assert (row["consumed_unit"], row["consumed_quantity"]) == ("Tokens", 2_450_000)
    assert row["sku_meter"] == "model-a output tokens"
