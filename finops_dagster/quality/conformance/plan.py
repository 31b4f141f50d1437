"""What is to be judged of a model, before any file is seen: conditions, criteria, slips mended.

Composites hand their condition and criteria down; a rule that no machine can judge says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from finops_dagster.quality.conformance.model import Check, Rule, RuleModel
from finops_dagster.quality.conformance.predicates import KNOWN, WHEN
from finops_dagster.quality.conformance.sentences import read_opening, read_sentence

_PERMISSIONS = ("MAY", "MAY NOT", "OPTIONAL")


@dataclass(frozen=True)
class Planned:
    """One rule with what its composites hand down. `skip` says why it is not judged at all."""

    rule: Rule
    requirement: Check | None
    conditions: tuple[Check, ...] = ()
    """All must hold in a row, or the rule says nothing of it."""
    criteria: frozenset[str] = frozenset()
    skip: str = ""
    note: str = ""

    @property
    def columns(self) -> frozenset[str]:
        """Columns that judging it looks at."""
        checks = (*self.conditions, *((self.requirement,) if self.requirement else ()))
        return frozenset(column for check in checks for column in check.columns)


def plan(model: RuleModel, dataset: str | None) -> list[Planned]:
    """Every rule of the model, in its order; those of other datasets than `dataset` skipped."""
    columns = {rule.reference for rule in model.rules.values() if rule.entity == "Column"}
    read = {name: _by_sentence(rule, columns) for name, rule in model.rules.items()}
    parents: dict[str, list[str]] = defaultdict(list)
    for name, rule in model.rules.items():
        for child in rule.children:
            parents[child].append(name)
    values = _values_named(model)
    inside = model.of_dataset(dataset) if dataset else frozenset(model.rules)
    others = {r for name in model.datasets for r in model.of_dataset(name)} - inside
    planned = []
    for name in model.rules:
        one = _with_values(read[name], values)
        one = _inherited(one, read, parents)
        skip = one.skip or _reason(one, model, parents)
        if one.rule.children and not skip:
            one, skip = _composed(one, read)
        if name in others:
            skip = f"A rule of another dataset; this file is judged as {dataset}."
        planned.append(replace(one, skip=skip))
    return planned


def _by_sentence(rule: Rule, columns: set[str]) -> Planned:
    """The rule by its check, or by its sentence where the two contradict each other."""
    own = (rule.condition,) if rule.condition else ()
    note = "An argument of the check is misspelt in the model." if rule.mended else ""
    planned = Planned(rule, rule.requirement, own, frozenset(rule.criteria), note=note)
    if rule.requirement is None or not rule.static:
        return planned
    if rule.children:
        opening = read_opening(rule.text, columns)
        if opening is None or _same(opening, rule.condition):
            return planned
        return replace(planned, conditions=(opening,), note=_CONTRADICTED)
    sentence = read_sentence(rule.text, columns)
    if sentence is None:
        return planned
    if sentence.bound and sentence.condition is None and not own and not rule.criteria:
        skip = "When it applies is said in words alone: the model gives no condition to test."
        return replace(planned, skip=skip)
    requirement, conditions = rule.requirement, own
    if not _same(sentence.requirement, requirement):
        requirement, note = sentence.requirement, _CONTRADICTED
    if sentence.condition and not _same(sentence.condition, rule.condition):
        conditions, note = (sentence.condition,), _CONTRADICTED
    return replace(planned, requirement=requirement, conditions=conditions, note=note)


_CONTRADICTED = "Judged by its text: the model's check says something else."


def _same(one: Check | None, other: Check | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.canonical() == other.canonical()


def _values_named(model: RuleModel) -> Mapping[str, set[str]]:
    """Column -> values that conditions of the model name: those exist, whatever a list says."""
    named: dict[str, set[str]] = defaultdict(set)
    for rule in model.rules.values():
        for check in rule.condition.walk() if rule.condition else ():
            if check.function == "CheckValue" and isinstance(check["Value"], str):
                named[check["ColumnName"]].add(check["Value"])
    return named


def _with_values(planned: Planned, named: Mapping[str, set[str]]) -> Planned:
    """A list of allowed values with those the model's own conditions rely on.

    In FOCUS 1.2's model the list of CommitmentDiscountStatus lacks "Used" and "Unused".
    """
    check = planned.requirement
    if check is None or check.function != "OR" or planned.skip:
        return planned
    columns = {item.arguments.get("ColumnName") for item in check.items}
    if {item.function for item in check.items} != {"CheckValue"} or len(columns) != 1:
        return planned
    column = str(next(iter(columns)))
    missing = sorted(named.get(column, set()) - {item["Value"] for item in check.items})
    if not missing:
        return planned
    more = tuple(Check("CheckValue", {"ColumnName": column, "Value": v}) for v in missing)
    note = f"The model's list lacks what its conditions name: {', '.join(missing)}."
    return replace(planned, requirement=Check("OR", {}, (*check.items, *more)), note=note)


def _inherited(
    planned: Planned, read: Mapping[str, Planned], parents: Mapping[str, list[str]]
) -> Planned:
    """With conditions and criteria of the composites above, by the way that has the fewest."""
    ways = list(_ways(planned.rule.id, parents, ()))
    best = min(ways, key=lambda way: sum(len(read[one].conditions) for one in way))
    conditions = [c for one in reversed(best) for c in read[one].conditions]
    criteria = frozenset(c for one in best for c in read[one].criteria)
    return replace(
        planned,
        conditions=(*conditions, *planned.conditions),
        criteria=planned.criteria | criteria,
    )


def _composed(planned: Planned, read: Mapping[str, Planned]) -> tuple[Planned, str]:
    """A composite with what it asks of a row itself, and why it cannot be judged.

    Of rules that must all hold each speaks for itself; of alternatives the composite alone can.
    """
    requirement = planned.requirement
    assert requirement is not None
    if requirement.function == "OR":
        ways = [_alternative(item, read) for item in requirement.items]
        known = tuple(way for way in ways if way is not None)
        if len(known) < len(ways):
            return replace(planned, requirement=None), "Not all of its alternatives can be judged."
        return replace(planned, requirement=Check("OR", {}, known)), ""
    own = tuple(item for item in requirement.items if item.function != "CheckModelRule")
    if any(check.function == "CheckModelRule" for item in own for check in item.walk()):
        return replace(planned, requirement=None), "It is composed in a way not known here."
    return replace(planned, requirement=Check("AND", {}, own) if own else None), ""


def _alternative(item: Check, read: Mapping[str, Planned]) -> Check | None:
    """One alternative as a check of a row; None where it cannot be judged."""
    if item.function != "CheckModelRule":
        return item
    other = read.get(item["ModelRuleId"])
    if other is None or other.skip or other.requirement is None or other.rule.children:
        return None
    if not other.conditions:
        return other.requirement
    return Check(WHEN, {}, (Check("AND", {}, other.conditions), other.requirement))


def _ways(
    rule_id: str, parents: Mapping[str, list[str]], below: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Chains of composites above a rule, nearest first."""
    above = [one for one in parents.get(rule_id, []) if one not in below]
    if not above:
        yield ()
    for one in above:
        for way in _ways(one, parents, (*below, rule_id)):
            yield (one, *way)


def _reason(planned: Planned, model: RuleModel, parents: Mapping[str, list[str]]) -> str:
    rule = planned.rule
    if not rule.active:
        return "The model marks it as no longer in force."
    if rule.keyword in _PERMISSIONS:
        return "A permission: nothing can break it."
    functions = model.attributes.get(rule.reference, ())
    if rule.entity == "Attribute" and functions:
        return f"Judged, as far as a machine can, where columns ask: {', '.join(functions)}."
    if not rule.static or planned.requirement is None:
        return "The model gives no check: it takes knowledge that is not in the data."
    if rule.children:
        return ""
    unknown = sorted({c.function for c in planned.requirement.walk()} - KNOWN)
    if unknown:
        return f"The check {', '.join(unknown)} is not known to this version."
    if not rule.condition and any(model.rules[p].alternatives for p in parents.get(rule.id, [])):
        return f"One of alternatives: judged in {', '.join(parents[rule.id])}."
    return ""
