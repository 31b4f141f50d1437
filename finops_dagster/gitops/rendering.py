"""What a reviewer with one minute reads: title, body and commit message, in Markdown.

How things are said is in words.py, the picture in pictures.py; all foreign text passes through
escaping.py; the state for machines is marker.py's business.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from finops_dagster.domain.decisions import (
    Decision,
    FindingKind,
    Proposal,
    RuleResult,
    Rung,
    Verdict,
)
from finops_dagster.gitops.escaping import block, code, html, one_line, plain, prose, title, trailer
from finops_dagster.gitops.pictures import picture
from finops_dagster.gitops.wanted import Shown, Wanted, decision_of, rung_of
from finops_dagster.gitops.words import (
    action,
    actions,
    amount,
    carbon_span,
    currency,
    effect,
    listed,
    money_span,
    number,
    spoken,
    value_name,
    without_money,
)

_RISK = "Estimated probability that demand exceeds the new value in the next 14 days"
_RISKS = {FindingKind.CARBON_HOURS: "Estimated probability that a run emits more than before"}
_NO_CAPACITY = "No capacity is taken away."
_WITHOUT = {
    FindingKind.MODEL_ROLLBACK: _NO_CAPACITY,
    FindingKind.MODEL_CANARY: _NO_CAPACITY,
    FindingKind.MODEL_RETRAIN: _NO_CAPACITY,
    FindingKind.MODEL_PAUSE: "It answers nobody until a person sets the value back.",
    FindingKind.SHADOW_AI: "Nothing that runs is changed.",
}
"""Kinds whose risk is none of capacity, and what is said in its place."""

_VERDICTS = {
    Decision.ALLOW: "Policy allows this change.",
    Decision.NEEDS_APPROVAL: "Policy asks for a person's approval before this is merged.",
    Decision.DENY: "Policy denies this change.",
}

_RUNGS = {
    Rung.OBSERVE: "it is only recorded",
    Rung.ADVISE: "it is shown on the dashboard, and a person had it opened",
    Rung.PROPOSE: "a person merges it",
    Rung.AUTOMERGE: "the forge merges it by its own protection once all it asks for is there",
}

_SHORT = 30
MAX_ROWS = 30
"""Rows of a table in a body; what is beyond is counted, not shown."""

MAX_PICTURES = 10
"""Pictures in a body: a forge draws each in a frame of its own."""


def render_title(group: Sequence[Wanted]) -> str:
    """`Lower the CPU request of KIND NAMESPACE/NAME: 2 to 500m (saves about 480 USD a month)`, and
    of several what they do, whose they are and what they come to in each currency.
    """
    proposals = [one.proposal for one in group]
    told = f"({effect(proposals)})"
    if len(group) > 1:
        head = f"{actions(proposals)} {_whose(group)}"
    else:
        (of,) = proposals
        head = action(of)
        if not of.document:
            head += f": {_short(of.current)} to {_short(of.proposed)}"
    room = max(60, 240 - len(told))
    return title(f"{one_line(head, room)} {told}")


def _short(value: str) -> str:
    """On one line; of a long one its end, where versions and tags stand."""
    text = one_line(value, 600)
    return text if len(text) <= _SHORT else f"…{text[1 - _SHORT :]}"


def render_body(group: Sequence[Wanted], shown: Shown) -> str:
    """The body: what, why, use, saving and carbon with intervals, risk, what would have
    to be otherwise, policy, undo.
    """
    parts = _several(group, shown) if len(group) > 1 else _alone(group[0], shown)
    return "\n\n".join(part for part in (*parts, _footer(group)) if part)


def render_commit_message(group: Sequence[Wanted], shown: Shown) -> str:
    """Title, why in words, and trailers that lead back to the decision."""
    reasons = [plain(one.proposal.reason) for one in group[:MAX_ROWS]]
    if len(group) > 1:
        reasons = [
            f"- {plain(spoken(one.proposal.resource))}: {reason}"
            for one, reason in zip(group, reasons, strict=False)
        ]
    trailers = [
        *(f"Finops-Proposal: {trailer(one.proposal.id)}" for one in group),
        *(f"Finops-Key: {trailer(one.proposal.change_key)}" for one in group),
        *(f"Finops-Policy: {trailer(bundle)}" for bundle in _bundles(group)),
        *([f"Finops-Ledger: {trailer(shown.ledger)}"] if shown.ledger else []),
    ]
    return "\n\n".join((render_title(group), "\n".join(reasons), "\n".join(trailers))) + "\n"


def _alone(item: Wanted, shown: Shown) -> Iterable[str]:
    of = item.proposal
    name = code(spoken(of.resource))
    change = "" if of.document else f" from {code(of.current)} to {code(of.proposed)}"
    yield f"**{action(of, name)}{change}: {effect([of])}.**"
    yield _change(item)
    yield f"### Why\n\n{prose(of.reason)}"
    yield from _case(item, shown, "###")
    yield _policy([item])
    yield _approval([item], shown)
    yield _record([item], shown)
    yield _undo([item])
    yield _figures(of)


def _several(group: Sequence[Wanted], shown: Shown) -> Iterable[str]:
    proposals = [one.proposal for one in group]
    yield f"**{prose(actions(proposals))} {prose(_whose(group))}: {effect(proposals)}.**"
    yield _changes(group)
    yield "### Why, one by one"
    for place, one in enumerate(group):
        yield _details(
            f"{action(one.proposal)}: {effect([one.proposal])}",
            _member(one, shown, drawn=place < MAX_PICTURES),
        )
    yield _policy(group)
    yield _approval(group, shown)
    yield _record(group, shown)
    yield _undo(group)


def _member(item: Wanted, shown: Shown, *, drawn: bool) -> str:
    of, verdict, _ = item
    seen = shown if drawn else Shown(owners=shown.owners, records=shown.records)
    parts = (
        prose(of.reason),
        _change(item),
        *_case(item, seen, "####"),
        _rules(verdict.rules),
        _figure_table(of),
    )
    return "\n\n".join(part for part in parts if part)


def _case(item: Wanted, shown: Shown, heading: str) -> Iterable[str]:
    """What speaks for one change and against it."""
    of = item.proposal
    evidence = of.evidence
    days = (evidence.window_end - evidence.window_start).total_seconds() / 86_400
    yield f"{heading} Expected effect\n\n{_effects(of)}"
    yield (
        f"{heading} Evidence\n\n{evidence.samples:,} samples over {number(days)} days, "
        f"{evidence.window_start:%Y-%m-%d %H:%M} to {evidence.window_end:%Y-%m-%d %H:%M} UTC; "
        f"{of.confidence:.0%} of that window was measured."
    )
    use = shown.uses.get(of.id)
    yield picture(use) if use else ""
    risk = _WITHOUT.get(of.kind) or f"{_RISKS.get(of.kind, _RISK)}: {of.risk:.1%}."
    yield f"{heading} Risk\n\n{risk}{_wrong_if(of)}"
    yield _otherwise(of, heading)


def _wrong_if(of: Proposal) -> str:
    return f" It would be wrong if {prose(of.wrong_if)}." if of.wrong_if else ""


def _otherwise(of: Proposal, heading: str) -> str:
    """What would have to be true for no proposal; nothing where that is not told."""
    clauses = "\n".join(f"- {prose(one)}" for one in of.counterfactual[:MAX_ROWS])
    return f"{heading} It would not be proposed if\n\n{clauses}" if clauses else ""


def _change(item: Wanted) -> str:
    """Before and after, and where; the bytes themselves are in the forge's own diff."""
    of = item.proposal
    where = [
        f"{code(edit.file, cell=True)}{' (new)' if edit.creates else ''}"
        for edit in item.changes.edits[:MAX_ROWS]
    ]
    if of.document:
        return f"New file {listed(where).removesuffix(' (new)')}:\n\n{block(of.document)}"
    row = (
        code(value_name(of.field), cell=True), code(of.current, cell=True),
        code(of.proposed, cell=True), listed(where),
    )  # fmt: skip
    return _table(("value", "before", "after", "file"), [row])


def _changes(group: Sequence[Wanted]) -> str:
    return _table(
        ("resource", "value", "before", "after", "saving a month", "kg CO2e a month", "risk"),
        [
            (
                code(spoken(of.resource), cell=True), code(value_name(of.field), cell=True),
                code(of.current, 40, cell=True), code(of.proposed, 40, cell=True),
                "none" if without_money(of) else money_span(of.saving_per_month),
                carbon_span(of.carbon_kg_per_month),
                f"{of.risk:.1%}",
            )
            for of, _, _ in group
        ],
    )  # fmt: skip


def _effects(of: Proposal) -> str:
    saving, carbon = of.saving_per_month, of.carbon_kg_per_month
    if without_money(of):
        return "It is not made for money: what it mends is told above, in its evidence."
    return _table(
        ("a month", "low (2.5 %)", "expected", "high (97.5 %)"),
        [
            (
                f"saving, {currency(saving)}",
                amount(saving.low), amount(saving.mid), amount(saving.high),
            ),
            (
                "carbon avoided, kg CO2e",
                number(carbon.low), number(carbon.mid), number(carbon.high),
            ),
        ],
    )  # fmt: skip


def _policy(group: Sequence[Wanted]) -> str:
    """The strictest verdict, the lowest rung and what holds it there, and the rules that spoke."""
    verdicts = [one.verdict for one in group]
    lowest = rung_of(group)
    text = f"### Policy\n\n{_VERDICTS[decision_of(group)]}"
    if not any(one.rules for one in verdicts):
        text += " No rule objected."
    text += f" It may go as far as *{lowest.value}*: {_RUNGS[lowest]}."
    held = dict.fromkeys(one.rung_reason for one in verdicts if one.rung is lowest)
    reasons = [prose(reason) for reason in held if reason]
    text += f" What that rests on: {'; '.join(reasons)}." if reasons else ""
    text += f" Judged by {listed([code(bundle) for bundle in _bundles(group)])}."
    rules = _rules(_beside_the_rung(verdicts[0])) if len(group) == 1 else _objections(group)
    return f"{text}\n\n{rules}" if rules else text


def _beside_the_rung(verdict: Verdict) -> list[RuleResult]:
    """The rules that say more than what holds the change on its rung, which is told in words."""
    return [
        rule
        for rule in verdict.rules
        if rule.decision is not Decision.ALLOW or rule.actual not in verdict.rung_reason
    ]


_RULE = ("rule", "says", "found", "limit", "to satisfy it")


def _rules(rules: Sequence[RuleResult]) -> str:
    return _table(_RULE, [_rule(one) for one in rules])


def _objections(group: Sequence[Wanted]) -> str:
    """Of several, only what asks for something; the rest stands with each."""
    return _table(
        ("resource", *_RULE),
        [
            (code(spoken(of.resource), cell=True), *_rule(rule))
            for of, verdict, _ in group
            for rule in verdict.rules
            if rule.decision is not Decision.ALLOW
        ],
    )


def _rule(rule: RuleResult) -> tuple[str, ...]:
    return (
        code(rule.id, cell=True),
        f"{rule.decision.value.replace('_', ' ')}: {prose(rule.title, 200)}",
        code(rule.actual, cell=True),
        code(rule.limit, cell=True),
        prose(rule.fix, 300),
    )


def _approval(group: Sequence[Wanted], shown: Shown) -> str:
    """Names stand in code, so that nobody is called upon by the text alone."""
    approvers = sorted({name for one in group for name in one.verdict.approvers})
    owners = [name for name in dict.fromkeys(shown.owners) if name not in approvers]
    said = []
    if approvers:
        said.append(f"By policy: {listed([code(name) for name in approvers[:MAX_ROWS]])}.")
    if owners:
        said.append(f"Owners of the files: {listed([code(name) for name in owners[:MAX_ROWS]])}.")
    if not said:
        said.append("Neither policy nor a CODEOWNERS file names anybody: whoever may merge.")
    return f"### Who must approve\n\n{' '.join(said)}"


def _record(group: Sequence[Wanted], shown: Shown) -> str:
    kinds = dict.fromkeys(one.proposal.kind.value for one in group)
    said = [prose(shown.records[kind]) for kind in kinds if shown.records.get(kind)]
    return "\n\n".join(["### What earlier changes came to", *said]) if said else ""


def _undo(group: Sequence[Wanted]) -> str:
    commands = [
        " \\\n  ".join(
            (
                "finops desired-state set .",
                shlex.join(("--resource", one_line(of.resource, 600))),
                shlex.join(("--field", one_line(of.field, 600))),
                shlex.join(("--value", one_line(of.current, 300))),
            )
        )
        for of, _, changes in group[:MAX_ROWS]
        if not any(edit.creates for edit in changes.edits)
    ]
    text = "### How to undo\n\nRevert the merge commit (`git revert -m 1 MERGE`)"
    if not commands:
        return f"{text}."
    again = block("\n".join(commands))
    if len(group) > 1:
        return f"{text}, or set the old values again:\n\n{_details('Commands', again)}"
    return f"{text}, or set the old value again:\n\n{again}"


def _figures(of: Proposal) -> str:
    table = _figure_table(of)
    return _details("Figures behind this", table) if table else ""


def _figure_table(of: Proposal) -> str:
    return _table(
        ("figure", "value"),
        [
            (code(name, cell=True), number(value))
            for name, value in sorted(of.evidence.figures.items())
        ],
    )


def _footer(group: Sequence[Wanted]) -> str:
    of = group[0].proposal
    places = dict.fromkeys(one.proposal.environment or "unknown" for one in group)
    return (
        f"Proposed for {of.as_of:%Y-%m-%d} to owner {listed([code(one) for one in _owners(group)])}"
        f", environment {listed([code(one) for one in places])}. A commit by a person on this "
        "branch stops automatic updates. Closing this unmerged rejects it, and so does a revert: "
        "it comes back after a cool-off, or once the evidence is another."
    )


def _whose(group: Sequence[Wanted]) -> str:
    owners = _owners(group)
    return f"for {len(owners)} teams" if len(owners) > 1 else f"for team {one_line(owners[0], 60)}"


def _owners(group: Sequence[Wanted]) -> list[str]:
    return list(dict.fromkeys(one.proposal.owner or "unknown" for one in group))


def _bundles(group: Sequence[Wanted]) -> list[str]:
    return list(dict.fromkeys(one.verdict.bundle for one in group))


def _details(summary: str, text: str) -> str:
    return f"<details>\n<summary>{html(summary)}</summary>\n\n{text}\n\n</details>"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    shown = rows[:MAX_ROWS]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines.extend(f"| {' | '.join(row)} |" for row in shown)
    if len(rows) > len(shown):
        lines.append(f"\n{len(rows) - len(shown)} more are not shown.")
    return "\n".join(lines)
