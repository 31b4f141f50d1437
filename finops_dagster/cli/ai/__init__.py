"""Commands about AI: how good models are, whether their gates pass, what they cost, who answers.

They read what is published, what a day has kept or the files that they are given.
"""

from __future__ import annotations

import typer

from finops_dagster.cli.ai.card import ai_card
from finops_dagster.cli.ai.costs import ai_costs
from finops_dagster.cli.ai.decisions import ai_decisions
from finops_dagster.cli.ai.energy import ai_energy
from finops_dagster.cli.ai.engines import ai_engines, ai_rollback
from finops_dagster.cli.ai.gate import ai_gate
from finops_dagster.cli.ai.metrics import ai_metrics
from finops_dagster.cli.ai.register import ai_register


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    models = typer.Typer(
        help="AI: metrics and gates of models, cards, costs, and the register.",
        no_args_is_help=True,
    )
    for name, run in (
        ("metrics", ai_metrics),
        ("gate", ai_gate),
        ("costs", ai_costs),
        ("energy", ai_energy),
        ("decisions", ai_decisions),
        ("register", ai_register),
        ("card", ai_card),
        ("engines", ai_engines),
        ("rollback", ai_rollback),
    ):
        models.command(name)(run)
    app.add_typer(models, name="ai")
