"""Kubernetes quantities: text and amount must be the same thing both ways."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.engines.optimisation.quantities import (
    MIB,
    cpu_text,
    memory_text,
    neat_cpu,
    neat_memory,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("250m", "0.25"),
        ("2", "2"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", "1e18"),
        ("1Gi", "1073741824"),
        ("1.5Gi", "1610612736"),
        ("100M", "100000000"),
        ("128974848000m", "128974848"),
        ('"500m"', "0.5"),
    ],
)
def test_reads_every_notation_of_kubernetes(text: str, amount: str) -> None:
    """A notation misread by its suffix would size a workload a thousand times too small."""
    assert parse_quantity(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1GiB", "5mm", "--1", "1e", "NaN", "Infinity"])
def test_refuses_what_is_no_quantity(text: str) -> None:
    """A value that cannot be read must not become a proposal."""
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        parse_quantity(text)


@given(st.integers(1, 10**7))
def test_cpu_text_round_trips(millicores: int) -> None:
    """What is written in a manifest must be exactly the amount that was priced."""
    cores = Decimal(millicores) / 1000
    assert parse_quantity(cpu_text(cores)) == cores


@given(st.integers(1, 10**8))
def test_memory_text_round_trips(mebibytes: int) -> None:
    """What is written in a manifest must be exactly the amount that was priced."""
    size = Decimal(mebibytes * MIB)
    assert parse_quantity(memory_text(size)) == size


def test_keeps_the_unit_that_is_there() -> None:
    """`4000m` that becomes `2` reads as if the unit had changed with the amount."""
    assert cpu_text(Decimal(2), like="4000m") == "2000m"
    assert cpu_text(Decimal("1.5"), like="4") == "1500m"
    assert memory_text(Decimal(8192 * MIB), like="16384Mi") == "8192Mi"
    assert memory_text(Decimal(8192 * MIB), like="17179869184") == "8Gi"


@given(st.decimals("0.0001", "1000", allow_nan=False), st.decimals("0.0001", "1000"))
def test_neat_cpu_is_never_below_and_keeps_the_order(first: Decimal, second: Decimal) -> None:
    """Rounding down, or swapping two sizes, would take away what the rule asked for."""
    small, large = sorted((first, second))
    assert small <= neat_cpu(small) <= neat_cpu(large)
    assert neat_cpu(small) <= small + max(Decimal("0.005"), small * Decimal("0.1"))
    assert parse_quantity(cpu_text(neat_cpu(small))) == neat_cpu(small)


@given(st.integers(1, 10**13))
def test_neat_memory_is_never_below_and_prints(size: int) -> None:
    """A memory request rounded down is an eviction."""
    neat = neat_memory(Decimal(size))
    assert neat >= size
    assert parse_quantity(memory_text(neat)) == neat
