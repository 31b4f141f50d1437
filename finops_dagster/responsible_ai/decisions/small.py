"""Which groups are told alone: those that are large enough, and none that could be worked out.

What is told of them is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from finops_dagster.responsible_ai.decisions.results import SMALLER


def shown_as(sizes: Mapping[str, int], least: int) -> dict[str, str]:
    """Group -> the name that it is told under; a group that is absent is not told at all.

    `sizes`: members of each group. Groups under `least` stand together as SMALLER, at least two of
    them and `least` members: else the next smallest joins them, so that nobody finds a group by
    taking the others from a whole (complementary suppression: L. Willenborg and T. de Waal,
    Elements of Statistical Disclosure Control, 2001).
    """
    order = sorted(sizes, key=lambda group: (sizes[group], group))
    small = [group for group in order if sizes[group] < least]
    rest = order[len(small) :]
    while small and rest and (len(small) < 2 or sum(sizes[one] for one in small) < least):
        small.append(rest.pop(0))
    named = {group: group for group in rest}
    if len(small) >= 2 and sum(sizes[one] for one in small) >= least:
        named |= dict.fromkeys(small, SMALLER)
    return named
