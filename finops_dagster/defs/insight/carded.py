"""Model cards of our own engines for a day: the asset.

What is on a card is read in `models.cards`; what it says is responsible_ai's.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.metadata import link, records_table
from finops_dagster.defs.shared import window

CARDS = dg.AssetKey(["insight", "cards"])


def build_cards(upstream: Sequence[dg.AssetKey], common: dict[str, Any]) -> dg.AssetsDefinition:
    """The asset, after all engines whose answers its cards tell of."""

    @dg.asset(
        key=CARDS,
        description="A model card of every forecaster, detector and rule of ours: what it was made "
        "of, how good it was by segment, and what changed since the last decided day.",
        deps=upstream,
        kinds={"html"},
        **common,
    )
    def cards(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        from finops_dagster.defs.insight.models.cards import write_day

        as_of, _ = window(context)
        made, changes, index = write_day(estate, as_of)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(made),
                "cards": link(estate.layout.root, index),
                "changed": records_table(
                    [
                        {
                            "engine": one.title,
                            "version": one.version,
                            "code": one.code_version,
                            "changes": len(changes[one.name].changes)
                            if one.name in changes
                            else None,
                        }
                        for one in made
                    ]
                ),
            }
        )

    made: dg.AssetsDefinition = cards
    return made
