"""Kubernetes quantities: round up to a neat amount, print.

Nothing about what amount is right; how one is read is known in the domain.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

MIB = 1024**2
GIB = 1024**3

_CPU_STEPS_M = ((100, 5), (1000, 10), (4000, 50), (None, 100))
_MEMORY_STEPS_MIB = ((256, 8), (1024, 16), (4096, 64), (None, 256))
"""(below, step): steps stay near 5 % of the amount, so that rounding costs little."""


def _up(amount: Decimal, steps: tuple[tuple[int | None, int], ...]) -> int:
    """The least multiple of the step of its band that is at or above `amount`."""
    for below, step in steps:
        if below is None or amount < below:
            return int((amount / step).to_integral_value(ROUND_CEILING)) * step
    raise AssertionError("the last band has no upper end")


def _down(amount: Decimal, steps: tuple[tuple[int | None, int], ...]) -> int:
    """The greatest amount that `_up` leaves as it is and that is at or below `amount`.

    Bands begin at a multiple of the step of the band below.
    """
    for below, step in steps:
        if below is None or amount < below:
            return int((amount / step).to_integral_value(ROUND_FLOOR)) * step
    raise AssertionError("the last band has no upper end")


def neat_cpu(cores: Decimal) -> Decimal:
    """`cores` rounded up to 5m below 100m, 10m below a core, 50m below four, 100m above."""
    return Decimal(_up(cores * 1000, _CPU_STEPS_M)) / 1000


def neat_memory(size_bytes: Decimal) -> Decimal:
    """`size_bytes` rounded up to 8 MiB below 256 MiB, 16 below 1 GiB, 64 below 4, 256 above."""
    return Decimal(_up(size_bytes / MIB, _MEMORY_STEPS_MIB)) * MIB


def neat_cpu_below(cores: Decimal) -> Decimal:
    """The greatest neat amount at or below `cores`."""
    return Decimal(_down(cores * 1000, _CPU_STEPS_M)) / 1000


def neat_memory_below(size_bytes: Decimal) -> Decimal:
    """The greatest neat amount at or below `size_bytes`."""
    return Decimal(_down(size_bytes / MIB, _MEMORY_STEPS_MIB)) * MIB


def cpu_text(cores: Decimal, like: str = "") -> str:
    """`250m`, or `2` for whole cores; `2000m` where `like` is in millicores.

    Raises ValueError where a millicore is not enough.
    """
    millicores = cores * 1000
    if millicores != millicores.to_integral_value():
        raise ValueError(f"{cores} cores are not whole millicores")
    whole = int(millicores)
    return f"{whole}m" if whole % 1000 or like.endswith("m") else str(whole // 1000)


def memory_text(size_bytes: Decimal, like: str = "") -> str:
    """`512Mi`, or `2Gi` for whole GiB; `2048Mi` where `like` is in MiB.

    Raises ValueError where it is not whole MiB.
    """
    mebibytes = size_bytes / MIB
    if mebibytes != mebibytes.to_integral_value():
        raise ValueError(f"{size_bytes} bytes are not whole MiB")
    whole = int(mebibytes)
    return (
        f"{whole}Mi" if whole % 1024 or not whole or like.endswith("Mi") else f"{whole // 1024}Gi"
    )
