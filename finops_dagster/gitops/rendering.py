"""What a reviewer with one minute reads: title, body, commit message and comments, in Markdown.

All foreign text passes through escaping.py; the state for machines is marker.py's business.
"""

from __future__ import annotations

import re
import shlex
from decimal import Decimal

from finops_dagster.domain.decisions import (
    ChangeSet,
    Decision,
    FindingKind,
    Proposal,
    RuleResult,
    Verdict,
)
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.gitops.escaping import code, one_line, prose, title, trailer

_VERBS = {
    FindingKind.RIGHTSIZE_CPU: "Lower the CPU request",
    FindingKind.RIGHTSIZE_MEMORY: "Lower the memory request",
    FindingKind.UNDERPROVISIONED_CPU: "Raise the CPU request",
    FindingKind.UNDERPROVISIONED_MEMORY: "Raise the memory request",
    FindingKind.IDLE_WORKLOAD: "Scale down the idle workload",
    FindingKind.IDLE_GPU: "Release idle GPUs",
    FindingKind.UNDERUSED_GPU: "Ask for fewer GPUs",
    FindingKind.SERVERLESS_MEMORY: "Lower the memory",
    FindingKind.PROVISIONED_CONCURRENCY: "Lower the provisioned concurrency",
    FindingKind.UNUSED_VOLUME: "Reduce the unused volume",
    FindingKind.OFF_HOURS: "Switch off outside working hours",
    FindingKind.CARBON_HOURS: "Move the start",
    FindingKind.SCHEDULED_SCALING: "Change the minimum of replicas",
    FindingKind.RIGHTSIZE_MACHINE: "Lower the type",
    FindingKind.UNDERPROVISIONED_MACHINE: "Raise the type",
    FindingKind.MACHINE_GENERATION: "Renew the generation",
    FindingKind.MACHINE_ARCHITECTURE: "Change the architecture",
    FindingKind.RIGHTSIZE_DATABASE: "Lower the class",
    FindingKind.UNDERPROVISIONED_DATABASE: "Raise the class",
}

_RISK = "Estimated probability that demand exceeds the new value in the next 14 days"
_RISKS = {FindingKind.CARBON_HOURS: "Estimated probability that a run emits more than before"}

_VERDICTS = {
    Decision.ALLOW: "Policy allows this change.",
    Decision.NEEDS_APPROVAL: "Policy asks for a person's approval before this is merged.",
    Decision.DENY: "Policy denies this change.",
}

_CURRENCY = re.compile(r"[A-Za-z][A-Za-z0-9]{0,19}\Z")

MAX_ROWS = 30
"""Rows of a table in a body; what is beyond is counted, not shown."""


def render_title(proposal: Proposal) -> str:
    """`Lower the CPU request of KIND NAMESPACE/NAME: 2 to 500m (saves about 480 USD a month)`."""
    verb = _VERBS.get(proposal.kind, "Change")
    head = f"{verb} of {_spoken(proposal.resource)}: {one_line(proposal.current, 30)} to "
    return title(f"{head}{one_line(proposal.proposed, 30)} ({_effect(proposal)})")


def render_body(proposal: Proposal, verdict: Verdict, change_set: ChangeSet) -> str:
    """The body: what, why, evidence, saving and carbon with intervals, risk, policy, undo."""
    evidence = proposal.evidence
    days = (evidence.window_end - evidence.window_start).total_seconds() / 86_400
    parts = [
        f"**{money_sentence(proposal.saving_per_month)}** "
        f"{carbon_sentence(proposal.carbon_kg_per_month)}",
        _table(
            ("file", "value", "before", "after"),
            [
                (
                    code(edit.file, cell=True),
                    code(proposal.field, cell=True),
                    code(edit.before, cell=True),
                    code(edit.after, cell=True),
                )
                for edit in change_set.edits
            ],
        ),
        f"### Why\n\n{prose(proposal.reason)}",
        "### Evidence\n\n"
        f"{evidence.samples:,} samples over {_number(days)} days, "
        f"{evidence.window_start:%Y-%m-%d %H:%M} to {evidence.window_end:%Y-%m-%d %H:%M} UTC.\n\n"
        + _table(
            ("figure", "value"),
            [
                (code(name, cell=True), _number(value))
                for name, value in sorted(evidence.figures.items())
            ],
        ),
        _figures(proposal),
        f"### Risk\n\n{_RISKS.get(proposal.kind, _RISK)}: {proposal.risk:.1%}. "
        f"{proposal.confidence:.0%} of the evidence window was measured.",
        _policy(verdict),
        _undo(proposal),
        f"Proposed for {proposal.as_of:%Y-%m-%d} to owner {code(proposal.owner or 'unknown')}, "
        f"environment {code(proposal.environment or 'unknown')}. "
        "A commit by a person on this branch stops automatic updates; closing this unmerged "
        "rejects it, and it is not opened again for the same change.",
    ]
    return "\n\n".join(part for part in parts if part)


def render_commit_message(proposal: Proposal, verdict: Verdict) -> str:
    """Title, the sentence of money, and trailers that lead back to the decision."""
    return (
        f"{render_title(proposal)}\n\n{one_line(proposal.reason, 500)}\n\n"
        f"Finops-Proposal: {trailer(proposal.id)}\nFinops-Key: {trailer(proposal.key)}\n"
        f"Finops-Policy: {trailer(verdict.bundle)}\n"
    )


def money_sentence(saving: MoneyRange) -> str:
    """`Saves 410 to 560 USD a month (95 %).`, and as honestly where it costs or may cost."""
    currency = _currency(saving)
    low, high = saving.low, saving.high
    if low == high == 0:
        return "Saves no money."
    if low >= 0:
        return f"Saves {_span(low, high)} {currency} a month (95 %)."
    if high <= 0:
        return f"Costs {_span(-high, -low)} {currency} more a month (95 %)."
    return (
        f"Between {_amount(-low)} {currency} more and {_amount(high)} {currency} less a month "
        f"(95 %), {_about(saving)}."
    )


def carbon_sentence(carbon: Range) -> str:
    """`Avoids 12 to 18 kg CO2e a month (95 %).`"""
    if carbon.low == carbon.high == 0:
        return "Its carbon is not known or does not change."
    if carbon.low >= 0:
        return f"Avoids {_number(carbon.low)} to {_number(carbon.high)} kg CO2e a month (95 %)."
    if carbon.high <= 0:
        return f"Adds {_number(-carbon.high)} to {_number(-carbon.low)} kg CO2e a month (95 %)."
    return (
        f"Carbon between {_number(-carbon.low)} kg CO2e more and {_number(carbon.high)} less a "
        "month (95 %)."
    )


def _figures(proposal: Proposal) -> str:
    saving, carbon = proposal.saving_per_month, proposal.carbon_kg_per_month
    currency = _currency(saving)
    return "### Expected effect\n\n" + _table(
        ("a month", "low (2.5 %)", "expected", "high (97.5 %)"),
        [
            (
                f"saving, {currency}",
                _amount(saving.low), _amount(saving.mid), _amount(saving.high),
            ),
            (
                "carbon avoided, kg CO2e",
                _number(carbon.low), _number(carbon.mid), _number(carbon.high),
            ),
        ],
    )  # fmt: skip


def _policy(verdict: Verdict) -> str:
    text = f"### Policy\n\n{_VERDICTS[verdict.decision]} Bundle {code(verdict.bundle)}."
    if not verdict.rules:
        return f"{text} No rule objected."
    rows = [_rule(rule) for rule in verdict.rules[:MAX_ROWS]]
    more = len(verdict.rules) - len(rows)
    note = f"\n\n{more} more rules spoke." if more else ""
    return f"{text}\n\n{_table(('rule', 'says', 'found', 'limit', 'to satisfy it'), rows)}{note}"


def _rule(rule: RuleResult) -> tuple[str, ...]:
    return (
        code(rule.id, cell=True),
        f"{rule.decision.value.replace('_', ' ')}: {prose(rule.title, 200)}",
        code(rule.actual, cell=True),
        code(rule.limit, cell=True),
        prose(rule.fix, 300),
    )


def _undo(proposal: Proposal) -> str:
    command = shlex.join(
        [
            "finops", "desired-state", "set", ".",
            "--resource", one_line(proposal.resource, 600),
            "--field", one_line(proposal.field, 600),
            "--value", one_line(proposal.current, 300),
        ]
    )  # fmt: skip
    return (
        "### How to undo\n\nRevert the merge commit (`git revert -m 1 MERGE`), or set the old "
        f"value again:\n\n    {command.replace('<!--', '<! --')}"
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    shown = rows[:MAX_ROWS]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines.extend(f"| {' | '.join(row)} |" for row in shown)
    if len(rows) > len(shown):
        lines.append(f"\n{len(rows) - len(shown)} more are not shown.")
    return "\n".join(lines)


def _spoken(resource: str) -> str:
    kind, _, rest = one_line(resource, 120).partition("/")
    return f"{kind} {rest.lstrip('/')}"


def _effect(proposal: Proposal) -> str:
    """What it is made for, in half a sentence: its money, or its carbon where it saves none."""
    saving, carbon = proposal.saving_per_month, proposal.carbon_kg_per_month
    if saving.low == saving.high == 0 < carbon.mid:
        return f"avoids about {_number(carbon.mid)} kg CO2e a month"
    return _about(saving)


def _about(saving: MoneyRange) -> str:
    verb, amount = ("saves", saving.mid) if saving.mid >= 0 else ("costs", -saving.mid)
    more = "" if saving.mid >= 0 else " more"
    return f"{verb} about {_amount(amount)} {_currency(saving)}{more} a month"


def _currency(saving: MoneyRange) -> str:
    """The currency, if it is a code or a name of a virtual one; a bill may hold anything."""
    return saving.currency if _CURRENCY.match(saving.currency) else "(currency unclear)"


def _span(low: Decimal, high: Decimal) -> str:
    one, other = _amount(low), _amount(high)
    return one if one == other else f"{one} to {other}"


def _amount(amount: Decimal) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:,.2f}"


def _number(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
