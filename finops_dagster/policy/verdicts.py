"""From what an engine answered to a Verdict; whatever is not a verdict becomes a denial.

No engine and no file is known here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from finops_dagster.domain.decisions import Decision, RuleResult, Rung, Verdict
from finops_dagster.policy.bundle import RegoBundle

_HIGHEST = {
    Decision.DENY: Rung.OBSERVE,
    Decision.NEEDS_APPROVAL: Rung.PROPOSE,
    Decision.ALLOW: Rung.AUTOMERGE,
}
_APPROVER = re.compile(
    r"@[A-Za-z0-9][A-Za-z0-9-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?"
    r"|[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}"
)
"""As CODEOWNERS names people and teams: @user, @organisation/team, an address."""
_MAX_APPROVERS = 50
_MAX_TEXT = 300
_ENGINE_RULE = "policy.engine"


def verdict_of(answer: Any, subject: str, bundle: RegoBundle) -> Verdict:
    """The verdict that `answer`, the value of data.finops.verdict, holds.

    Titles and fixes come from the bundle's METADATA. An answer of another form, a rule without
    METADATA, a decision that its rules do not bear out or a rung that the decision does not is a
    denial that says so. Where the answer says nothing of rungs, people merge what is not denied.
    """
    try:
        rules = [_rule(record, bundle) for record in answer["rules"]]
        stated = Decision(answer["decision"])
        rung = Rung(answer["rung"]) if "rung" in answer else lowest(Rung.PROPOSE, rung_of(stated))
        reason = clean(_text(answer, "rung_reason"))
        approvers = _approvers(answer.get("approvers", []))
    except (KeyError, TypeError, ValueError) as error:
        return unevaluable(f"the answer is no verdict: {error!r}", subject, bundle)
    decision = severest(rule.decision for rule in rules)
    if decision is not stated:
        return unevaluable(f"it says {stated} where its rules say {decision}", subject, bundle)
    if rung.height > rung_of(decision).height:
        return unevaluable(f"it says {rung} where it says {decision}", subject, bundle)
    return Verdict(
        subject=subject,
        decision=decision,
        rules=ordered(rules),
        bundle=bundle.id,
        rung=rung,
        rung_reason=reason,
        approvers=approvers,
    )


def unevaluable(reason: str, subject: str, bundle: RegoBundle) -> Verdict:
    """The denial of what could not be judged."""
    described = bundle.rules.get(_ENGINE_RULE)
    rule = RuleResult(
        id=_ENGINE_RULE,
        title=described.title if described else "Policy could not be evaluated",
        decision=Decision.DENY,
        actual=clean(reason),
        limit="a verdict",
        fix=described.fix if described else "Run the policy tests on this bundle.",
    )
    return Verdict(
        subject=subject,
        decision=Decision.DENY,
        rules=(rule,),
        bundle=bundle.id,
        rung=Rung.OBSERVE,
        rung_reason=f"denied by {_ENGINE_RULE}",
    )


def severest(decisions: Iterable[Decision]) -> Decision:
    """Deny before needs_approval before allow; allow where nothing was said."""
    return max(decisions, key=lambda decision: decision.severity, default=Decision.ALLOW)


def rung_of(decision: Decision) -> Rung:
    """The highest rung that a decision leaves open."""
    return _HIGHEST[decision]


def lowest(*rungs: Rung) -> Rung:
    """Of several rungs the one that goes least far."""
    return min(rungs, key=lambda rung: rung.height)


def ordered(rules: Iterable[RuleResult]) -> tuple[RuleResult, ...]:
    """Severest first, then by id and value; each once."""
    return tuple(
        sorted(set(rules), key=lambda rule: (-rule.decision.severity, rule.id, rule.actual))
    )


def clean(text: str) -> str:
    """`text` on one line, without control, format and bidi characters, at most 300 long.

    Values come from manifests and bills. What shows them escapes them for its own language.
    """
    kept = "".join(
        " " if char.isspace() else char
        for char in text[: 4 * _MAX_TEXT]
        if char.isspace() or unicodedata.category(char)[0] != "C"
    )
    kept = " ".join(kept.split())
    return kept if len(kept) <= _MAX_TEXT else f"{kept[: _MAX_TEXT - 1]}…"


def _text(answer: Any, key: str) -> str:
    value = answer.get(key, "")
    if not isinstance(value, str):
        raise TypeError(f"{key} is not text")
    return value


def _approvers(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or len(names) > _MAX_APPROVERS:
        raise TypeError("approvers is no list, or a very long one")
    for name in names:
        if not isinstance(name, str) or not _APPROVER.fullmatch(name):
            raise ValueError(f"approver {clean(str(name))} is not named as CODEOWNERS names them")
    return tuple(sorted(set(names)))


def _rule(record: Any, bundle: RegoBundle) -> RuleResult:
    described = bundle.rules[record["id"]]
    for key in ("actual", "limit"):
        if not isinstance(record[key], str):
            raise TypeError(f"{key} of {record['id']} is not text")
    fix = record.get("fix", described.fix)
    return RuleResult(
        id=described.id,
        title=described.title,
        decision=Decision(record["decision"]),
        actual=clean(record["actual"]),
        limit=clean(record["limit"]),
        fix=clean(fix if isinstance(fix, str) else described.fix),
    )
