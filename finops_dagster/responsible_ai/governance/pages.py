"""The register as pages: an index of all AI systems, and an auditor's page of each.

What is on them is decided in `register`; links are made by those who know where pages lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from finops_dagster.responsible_ai.governance.evidence import OF_CHECK, OF_RULE
from finops_dagster.responsible_ai.governance.obligations import CATEGORIES, NOT_ADVICE, SOURCES
from finops_dagster.responsible_ai.governance.register import (
    Kind,
    Link,
    Register,
    segment_words,
)
from finops_dagster.responsible_ai.html import write_page

FOLDER = "ai"
INDEX = "index.html"
SHOWN_DAYS = 60
"""Judged days, and entries of the ledger, on an auditor's page; the export has all."""


def page_of(place: int) -> str:
    """File of the auditor's page of the system at `place` in the register: a name is never a
    path."""
    return f"system-{place}.html"


def write_register(
    folder: Path, register: Register, links: Sequence[Link] = (), back: str = ""
) -> Path:
    """Write `index.html` and a page of each system into `folder`; returns the index.

    links: pages about AI beside the register; back: the day's page; both relative to `folder`.
    """
    said = [row for one in register.systems if (row := one.result) != "none"]
    counts = Counter(said)
    for place, one in enumerate(register.systems, 1):
        write_page(
            folder / page_of(place),
            "system.html",
            system=one,
            register=register,
            shown=SHOWN_DAYS,
            segment=segment_words,
            evidence=OF_CHECK,
            sources=SOURCES,
            not_advice=NOT_ADVICE,
            back=back,
        )
    # pages of systems that were listed in an earlier look at this day
    for place in range(len(register.systems) + 1, len(list(folder.glob("system-*.html"))) + 1):
        (folder / page_of(place)).unlink(missing_ok=True)
    return write_page(
        folder / INDEX,
        "register.html",
        register=register,
        rows=[(page_of(place), one) for place, one in enumerate(register.systems, 1)],
        counts=counts,
        unregistered=sum(one.kind is Kind.UNREGISTERED for one in register.systems),
        evidence=OF_CHECK,
        rules=OF_RULE,
        categories={one.name: one.words for one in CATEGORIES},
        sources=SOURCES,
        not_advice=NOT_ADVICE,
        links=links,
        back=back,
    )
