"""Kubernetes quantities as numbers.

How an amount is rounded and printed is the business of those who propose it.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation, localcontext

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
