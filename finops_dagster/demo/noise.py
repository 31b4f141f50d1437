"""Repeatable noise: a number for every (stream, index), whatever was asked before.

No generator state lives here, so a day's data cannot depend on how that day was reached.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def stream(seed: int, name: str) -> int:
    """Key of the noise stream `name` of an estate, 64 bits of SHA-256."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def uniform(key: int, index: Ints) -> Floats:
    """Uniform in [0, 1) by index: the finaliser of SplitMix64 (Steele et al., OOPSLA 2014)."""
    z = (index.astype(np.uint64) + np.uint64(1)) * _GOLDEN + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(key: int, index: Ints) -> Floats:
    """Standard normal by index (Box and Muller, 1958)."""
    first = uniform(key, index)
    second = uniform(key ^ 0x5851F42D4C957F2D, index)
    result: Floats = np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)
    return result


def smooth(key: int, minutes: Ints, step_minutes: int) -> Floats:
    """Wandering noise: standard normal knots every `step_minutes`, eased in between.

    Its variance is 1 at the knots and about 0.74 over all times.
    """
    knot = minutes // step_minutes
    share = (minutes - knot * step_minutes) / step_minutes
    ease = share * share * (3.0 - 2.0 * share)
    first = int(knot.min())
    knots = normal(key, np.arange(first, int(knot.max()) + 2, dtype=np.int64))
    at = knot - first
    result: Floats = knots[at] * (1.0 - ease) + knots[at + 1] * ease
    return result
