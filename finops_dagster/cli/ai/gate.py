"""`finops ai gate`: what the gate said of a model for the decided day.

It was said when the day was decided; nothing is judged here.
"""

from __future__ import annotations

from typing import Annotated

import typer

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.output import envelope, plain, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import GateResult
from finops_dagster.domain.errors import Fault, SettingsError


@command("ai_gate")
def ai_gate(
    model: Annotated[str, typer.Argument(help="Name of a monitored model, as in the settings.")],
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """What the gate said of a model for the decided day; exit code 1 if it fails."""
    settings = settings_for(config)
    day = Estate(settings).decided(settings.decided_day())
    gates = day.items("gates", GateResult) if day else []
    found = [gate for gate in gates if gate.gate == model]
    if not found:
        raise SettingsError(
            f"No gate of {model} is known.",
            (
                Fault(
                    code="unknown_model",
                    expected=f"Expected one of: {', '.join(g.gate for g in gates) or 'none yet'}.",
                    hint="Run `finops run`, or choose one of these.",
                ),
            ),
        )
    if as_json:
        answer = [plain(gate) for gate in found]
        print_json(envelope("ai_gate", answer, as_of=settings.decided_day()))
    else:
        print_table(
            "gate",
            ("gate", "result", "reasons"),
            [(gate.gate, gate.result, "; ".join(gate.reasons)) for gate in found],
        )
        print_table(
            "breaches",
            ("check", "grade", "segment", "version", "since", "figures"),
            [
                (
                    one.check.value,
                    one.grade,
                    one.segment,
                    one.version,
                    one.since,
                    ", ".join(f"{name} {value:.4g}" for name, value in one.figures.items()),
                )
                for gate in found
                for one in gate.breaches
            ],
        )
    return 1 if any(gate.result == "fail" for gate in found) else 0
