"""Parts of the series of a metric, told by the last characters of a label: whole by construction.

When a query is split is decided in `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
"""What names in Kubernetes are made of, but for the hyphen; all else is `other`."""
_DEEPEST = 4
"""Last characters that are told apart: 36^4 parts are more than any store has series."""


@dataclass(frozen=True)
class Scope:
    """Series whose `label` ends in one of `chars` and then `tail`; with `other`, in none of them.

    Kubernetes ends the names of pods in random characters, so that parts are about equal; a part
    and what was split off from it are everything that there was, whatever its names.
    """

    label: str
    tail: str = ""
    chars: str = _ALPHABET
    other: bool = True

    @property
    def whole(self) -> bool:
        return not self.tail and self.other and self.chars == _ALPHABET

    @property
    def share(self) -> float:
        """About what share of the series it holds."""
        parts = (len(self.chars) + self.other) / (len(_ALPHABET) + 1)
        return float(parts / (len(_ALPHABET) + 1) ** len(self.tail))

    @property
    def matchers(self) -> tuple[str, ...]:
        """In PromQL, whose regular expressions match names as a whole."""
        if not self.other:
            return (f'{self.label}=~".*[{self.chars}]{self.tail}"',)
        absent = "".join(char for char in _ALPHABET if char not in self.chars)
        beside = (f'{self.label}!~".*[{absent}]{self.tail}"',) if absent else ()
        within = (f'{self.label}=~".*{self.tail}"',) if self.tail else ()
        return (*within, *beside)

    def halves(self) -> tuple[Scope, ...]:
        """Two scopes that are this one together; none where it cannot be split."""
        if len(self.chars) + self.other > 1:
            first = self.chars[: (len(self.chars) + self.other) // 2]
            rest = self.chars[len(first) :]
            return (
                Scope(self.label, self.tail, first, other=False),
                Scope(self.label, self.tail, rest, other=self.other),
            )
        if self.chars and len(self.tail) + 1 < _DEEPEST:
            return Scope(self.label, self.chars + self.tail).halves()
        return ()
