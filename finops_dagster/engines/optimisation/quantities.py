"""Kubernetes quantities: parse, round up to a neat amount, print.

Nothing about what amount is right.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation, localcontext

MIB = 1024**2
GIB = 1024**3

_QUANTITY = re.compile(
    r"^\s*([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d{1,3}|[numkMGTPE]|[KMGTPE]i)?\s*$"
)
_FACTOR = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(1024),
    "Mi": Decimal(1024**2),
    "Gi": Decimal(1024**3),
    "Ti": Decimal(1024**4),
    "Pi": Decimal(1024**5),
    "Ei": Decimal(1024**6),
}
"""Suffixes of k8s.io/apimachinery/pkg/api/resource.Quantity."""

_CPU_STEPS_M = ((100, 5), (1000, 10), (4000, 50), (None, 100))
_MEMORY_STEPS_MIB = ((256, 8), (1024, 16), (4096, 64), (None, 256))
"""(below, step): steps stay near 5 % of the amount, so that rounding costs little."""


def parse_quantity(text: str) -> Decimal:
    """Cores or bytes of a Kubernetes quantity such as `250m`, `1.5Gi`, `2`, `1e3`.

    Raises ValueError for anything that is not one.
    """
    match = _QUANTITY.match(text.strip("\"'") if text else "")
    if match is None:
        raise ValueError(f"{text!r} is not a Kubernetes quantity")
    number, suffix = match.group(1), match.group(2) or ""
    try:
        with localcontext() as context:
            context.prec = 60
            if suffix[:1] in "eE" and suffix not in _FACTOR:
                return Decimal(number + suffix)
            return Decimal(number) * _FACTOR[suffix]
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a Kubernetes quantity") from error


def _up(amount: Decimal, steps: tuple[tuple[int | None, int], ...]) -> int:
    """The least multiple of the step of its band that is at or above `amount`."""
    for below, step in steps:
        if below is None or amount < below:
            return int((amount / step).to_integral_value(ROUND_CEILING)) * step
    raise AssertionError("the last band has no upper end")


def neat_cpu(cores: Decimal) -> Decimal:
    """`cores` rounded up to 5m below 100m, 10m below a core, 50m below four, 100m above."""
    return Decimal(_up(cores * 1000, _CPU_STEPS_M)) / 1000


def neat_memory(size_bytes: Decimal) -> Decimal:
    """`size_bytes` rounded up to 8 MiB below 256 MiB, 16 below 1 GiB, 64 below 4, 256 above."""
    return Decimal(_up(size_bytes / MIB, _MEMORY_STEPS_MIB)) * MIB


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
