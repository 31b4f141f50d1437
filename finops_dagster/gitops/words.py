"""How a change, its money and its carbon are said in English.

Where the sentences stand, and how foreign text is made inert, is elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from finops_dagster.domain.decisions import FindingKind, Proposal
from finops_dagster.domain.fields import field_steps
from finops_dagster.domain.money import NO_CURRENCY, MoneyRange, Range, exact_sum
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops.escaping import one_line


class _Phrase(NamedTuple):
    one: str
    """With the resource in the place of `{}`."""
    many: str
    """With the number in the place of `{}`; lower case, since others may stand before it."""


_PHRASES = {
    FindingKind.RIGHTSIZE_CPU: _Phrase("Lower the CPU request of {}", "lower {} CPU requests"),
    FindingKind.RIGHTSIZE_MEMORY: _Phrase(
        "Lower the memory request of {}", "lower {} memory requests"
    ),
    FindingKind.UNDERPROVISIONED_CPU: _Phrase(
        "Raise the CPU request of {}", "raise {} CPU requests"
    ),
    FindingKind.UNDERPROVISIONED_MEMORY: _Phrase(
        "Raise the memory request of {}", "raise {} memory requests"
    ),
    FindingKind.IDLE_WORKLOAD: _Phrase("Scale down the idle {}", "scale down {} idle workloads"),
    FindingKind.IDLE_GPU: _Phrase(
        "Release the idle GPUs of {}", "release the idle GPUs of {} workloads"
    ),
    FindingKind.UNDERUSED_GPU: _Phrase("Lower the GPU request of {}", "lower {} GPU requests"),
    FindingKind.SERVERLESS_MEMORY: _Phrase(
        "Lower the memory of {}", "lower the memory of {} functions"
    ),
    FindingKind.PROVISIONED_CONCURRENCY: _Phrase(
        "Lower the provisioned concurrency of {}", "lower {} provisioned concurrencies"
    ),
    FindingKind.UNUSED_VOLUME: _Phrase("Reduce the unused {}", "reduce {} unused volumes"),
    FindingKind.OFF_HOURS: _Phrase(
        "Switch {} off outside working hours", "switch {} workloads off outside working hours"
    ),
    FindingKind.CARBON_HOURS: _Phrase("Move the start of {}", "move the start of {} jobs"),
    FindingKind.SCHEDULED_SCALING: _Phrase(
        "Change the minimum of replicas of {}", "change {} minimums of replicas"
    ),
    FindingKind.RIGHTSIZE_MACHINE: _Phrase(
        "Use a smaller type for {}", "use smaller types for {} machines"
    ),
    FindingKind.UNDERPROVISIONED_MACHINE: _Phrase(
        "Use a larger type for {}", "use larger types for {} machines"
    ),
    FindingKind.MACHINE_GENERATION: _Phrase(
        "Move {} to a newer generation", "move {} machines to a newer generation"
    ),
    FindingKind.MACHINE_ARCHITECTURE: _Phrase(
        "Move {} to another architecture", "move {} machines to another architecture"
    ),
    FindingKind.MODEL_ROLLBACK: _Phrase(
        "Serve the last compliant version with {}", "serve compliant versions with {} workloads"
    ),
    FindingKind.MODEL_CANARY: _Phrase(
        "Take traffic from the newest version of {}", "take traffic from {} newest versions"
    ),
    FindingKind.MODEL_PAUSE: _Phrase("Pause {}", "pause {} models"),
    FindingKind.MODEL_RETRAIN: _Phrase("Train anew by {}", "train {} models anew"),
    FindingKind.SHADOW_AI: _Phrase("Register {}", "register {} models"),
    FindingKind.RIGHTSIZE_DATABASE: _Phrase(
        "Use a smaller class for {}", "use smaller classes for {} databases"
    ),
    FindingKind.UNDERPROVISIONED_DATABASE: _Phrase(
        "Use a larger class for {}", "use larger classes for {} databases"
    ),
}

_ENDS = {
    PullRequestState.MERGED: "merged",
    PullRequestState.REVERTED: "reverted after their merge",
    PullRequestState.REJECTED: "rejected",
}

_KIND_WORDS = re.compile(r"[^a-z0-9]+")
_KINDS_IN_A_TITLE = 3
_CURRENCY = re.compile(r"[A-Za-z][A-Za-z0-9]{0,19}\Z")


def action(proposal: Proposal, resource: str = "") -> str:
    """`Lower the CPU request of Deployment shop/web`; `resource` as it is to be written, if not
    so. A kind without a phrase of its own is told by the value it changes.
    """
    named = resource or spoken(proposal.resource)
    phrase = _PHRASES.get(proposal.kind)
    # The name may hold braces, so it is put in, not formatted.
    template = phrase.one if phrase else f"Change {value_name(proposal.field)} of {{}}"
    return template.replace("{}", named, 1)


def actions(proposals: Sequence[Proposal]) -> str:
    """`Lower 3 CPU requests and raise the memory request of Deployment shop/web`, or, of many
    kinds, the number of values.
    """
    by_kind: dict[FindingKind, list[Proposal]] = {}
    for one in proposals:
        by_kind.setdefault(one.kind, []).append(one)
    if len(by_kind) > _KINDS_IN_A_TITLE or not by_kind.keys() <= _PHRASES.keys():
        return f"Change {len(proposals)} values"
    said = listed(
        [
            _PHRASES[kind].many.replace("{}", str(len(several)), 1)
            if len(several) > 1
            else _lower(action(several[0]))
            for kind, several in sorted(by_kind.items(), key=lambda item: -len(item[1]))
        ]
    )
    return said[0].upper() + said[1:]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def records(known: Iterable[PullRequest]) -> dict[str, str]:
    """Kind -> what became of its earlier changes; none where none has ended by a person's hand."""
    ended: dict[str, Counter[PullRequestState]] = {}
    for one in known:
        for member in one.members if one.state in _ENDS else ():
            ended.setdefault(member.kind, Counter())[one.state] += 1
    return {
        kind: f"Earlier changes of the kind {_KIND_WORDS.sub(' ', kind)}: "
        + listed([f"{counted[state]:,} {told}" for state, told in _ENDS.items() if counted[state]])
        + "."
        for kind, counted in ended.items()
    }


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else "".join(parts)


def spoken(resource: str) -> str:
    """`Deployment shop/web` of `Deployment/shop/web`, on one line."""
    kind, _, rest = one_line(resource, 120).partition("/")
    return f"{kind} {rest.lstrip('/')}".strip()


def total(savings: Iterable[MoneyRange]) -> dict[str, Decimal]:
    """What is expected to be saved a month in each currency; currencies are never added up, and
    nothing at all has none.
    """
    by_currency: dict[str, list[Decimal]] = {}
    for saving in savings:
        if saving.currency == NO_CURRENCY and saving.mid == 0:
            continue
        by_currency.setdefault(currency(saving), []).append(saving.mid)
    return {name: exact_sum(*amounts) for name, amounts in sorted(by_currency.items())}


def without_money(proposal: Proposal) -> bool:
    """Whether it is made for another reason than money: it has no amount, and no currency."""
    saving = proposal.saving_per_month
    return saving.currency == NO_CURRENCY and saving.low == saving.high == 0


def effect(proposals: Sequence[Proposal]) -> str:
    """What it is made for, in half a sentence: its money, or its carbon where it saves none, or
    that it is for no money at all.
    """
    if all(map(without_money, proposals)):
        return "saves no money"
    proposals = [one for one in proposals if not without_money(one)]
    carbon = sum(one.carbon_kg_per_month.mid for one in proposals)
    if carbon > 0 and all(
        one.saving_per_month.low == one.saving_per_month.high == 0 for one in proposals
    ):
        return f"avoids about {number(carbon)} kg CO2e a month"
    amounts = total(one.saving_per_month for one in proposals)
    saved = [f"{amount(mid)} {name}" for name, mid in amounts.items() if mid >= 0]
    spent = [f"{amount(-mid)} {name}" for name, mid in amounts.items() if mid < 0]
    return listed(
        [f"saves about {listed(saved)} a month"] * bool(saved)
        + [f"costs about {listed(spent)} more a month"] * bool(spent)
    )


def money_span(saving: MoneyRange) -> str:
    """`480 (410 to 560) USD`: what is expected and its 95 % interval; negative where it costs."""
    return f"{_span(*map(amount, (saving.low, saving.mid, saving.high)))} {currency(saving)}"


def carbon_span(carbon: Range) -> str:
    """`15 (12 to 18)`."""
    return _span(number(carbon.low), number(carbon.mid), number(carbon.high))


def currency(saving: MoneyRange) -> str:
    """The currency, if it is a code or a name of a virtual one; a bill may hold anything."""
    return saving.currency if _CURRENCY.match(saving.currency) else "(currency unclear)"


def amount(value: Decimal) -> str:
    """Money for people: cents only where they matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def number(value: float) -> str:
    """Three digits, or all before the point."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _span(low: str, mid: str, high: str) -> str:
    return mid if low == high else f"{mid} ({low} to {high})"


def value_name(field: str) -> str:
    """The end of a field's path, and of which container: `requests.cpu (server)`."""
    try:
        steps = field_steps(field)
    except ValueError:
        steps = []
    name = ".".join([str(step) for step in steps if not isinstance(step, tuple)][-2:])
    of = next((step[1] for step in reversed(steps) if isinstance(step, tuple)), "")
    return one_line(f"{name} ({of})" if of else name, 80) or "a value"
