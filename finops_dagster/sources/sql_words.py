"""SQL pieces that bills of several providers are made of: words translated, decimals multiplied.

What the words are is in each provider's own module.
"""

from __future__ import annotations

from collections.abc import Mapping

from finops_dagster.sources.parsing import Note, literal

SERVICE_UNLISTED = Note(
    "service_unlisted",
    "(v_category IS NULL)",
    "A service that is known here; its category is Other",
    "Nothing to do.",
)
"""For formats whose values have `v_category`, null where their map has no word for a service."""


def worded(value: str, words: Mapping[str, str]) -> str:
    """SQL of a word's translation; null if it has none. `value` is SQL of the word."""
    cases = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in words.items())
    return f"CASE lower({value}) {cases} END"


def product(*factors: str) -> str:
    """SQL of a product of decimals, each rounded to 12 decimals; null from 10^13 on."""
    whole = factors[0]
    for factor in factors[1:]:
        whole = (
            f"CASE WHEN abs(({whole})::DOUBLE * ({factor})::DOUBLE) < 1e13 THEN "
            f"(({whole})::DECIMAL(38,12) * ({factor})::DECIMAL(38,12))::DECIMAL(38,20) END"
        )
    return whole
