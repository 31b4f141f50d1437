"""Which resources show the same values by construction: a release, what holds its values as text,
and what its charts make.

How releases are found is the business of helm.py, who owns a value of index.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


class Bindings:
    """Releases, their holders (ConfigMaps of valuesFrom) and their products, all by name."""

    def __init__(self) -> None:
        self._releases: dict[str, set[str]] = defaultdict(set)
        self._holders: dict[str, set[str]] = defaultdict(set)
        self._products: dict[str, set[str]] = defaultdict(set)

    def bind(self, release: str, holders: Iterable[str], products: Iterable[str]) -> None:
        """Note what holds values of `release` and what it makes."""
        self._holders[release].update(holders)
        self._products[release].update(products)
        for other in self._holders[release] | self._products[release]:
            self._releases[other].add(release)

    def releases(self, name: str) -> set[str]:
        """The releases whose values `name` holds, or that make it."""
        return self._releases.get(name, set())

    def related(self, name: str) -> set[str]:
        """What shows a value beside `name` without being another use of it. Two products of one
        release are two uses.
        """
        found = self.releases(name) | self.changing_with(name)
        for release in self.releases(name):
            found = found | self._holders[release]
            if name in self._holders[release]:
                found = found | self._products[release]
        return found - {name}

    def changing_with(self, release: str) -> set[str]:
        """What may change when a value of `release` does."""
        return self._holders.get(release, set()) | self._products.get(release, set())
