"""From what an engine answered to a Verdict; whatever is not a verdict becomes a denial.

No engine and no file is known here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from finops_dagster.domain.decisions import Decision, RuleResult, Verdict
from finops_dagster.policy.bundle import RegoBundle

_SEVERITY = {Decision.DENY: 0, Decision.NEEDS_APPROVAL: 1, Decision.ALLOW: 2}
_MAX_TEXT = 300
_ENGINE_RULE = "policy.engine"


def verdict_of(answer: Any, subject: str, bundle: RegoBundle) -> Verdict:
    """The verdict that `answer`, the value of data.finops.verdict, holds.

    Titles and fixes come from the bundle's METADATA. An answer of another form, a rule without
    METADATA or a decision that its rules do not bear out is a denial that says so.
    """
    try:
        rules = [_rule(record, bundle) for record in answer["rules"]]
        stated = Decision(answer["decision"])
    except (KeyError, TypeError, ValueError) as error:
        return unevaluable(f"the answer is no verdict: {error!r}", subject, bundle)
    decision = severest(rule.decision for rule in rules)
    if decision is not stated:
        return unevaluable(f"it says {stated} where its rules say {decision}", subject, bundle)
    return Verdict(subject=subject, decision=decision, rules=ordered(rules), bundle=bundle.id)


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
    return Verdict(subject=subject, decision=Decision.DENY, rules=(rule,), bundle=bundle.id)


def severest(decisions: Iterable[Decision]) -> Decision:
    """Deny before needs_approval before allow; allow where nothing was said."""
    return min(decisions, key=_SEVERITY.__getitem__, default=Decision.ALLOW)


def ordered(rules: Iterable[RuleResult]) -> tuple[RuleResult, ...]:
    """Severest first, then by id and value; each once."""
    return tuple(
        sorted(set(rules), key=lambda rule: (_SEVERITY[rule.decision], rule.id, rule.actual))
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
