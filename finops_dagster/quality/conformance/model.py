"""A FOCUS rule model as frozen types, read from the JSON its specification publishes.

No SQL and no data here; what a rule's sentence says is read in `sentences`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finops_dagster.domain.errors import Fault, SettingsError

WHERE_TO_GET = (
    "The FOCUS specification publishes a rule model (model-VERSION.json) with every release from "
    "1.2 on, at https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec/releases"
)
"""What to tell where no model is named."""

_GROUPS = ("AND", "OR")
_COLUMN_ARGUMENT = re.compile(r"^(Result)?Column[A-Z]?Name$")


@dataclass(frozen=True)
class Check:
    """One call of a check function; AND and OR hold further ones as `items`."""

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    items: tuple[Check, ...] = ()

    def __getitem__(self, argument: str) -> Any:
        return self.arguments[argument]

    def walk(self) -> Iterator[Check]:
        """This check and every one inside of it."""
        yield self
        for item in self.items:
            yield from item.walk()

    @property
    def columns(self) -> frozenset[str]:
        """Columns that this check and those inside look at."""
        return frozenset(
            value
            for check in self.walk()
            for name, value in check.arguments.items()
            if _COLUMN_ARGUMENT.match(name) and isinstance(value, str)
        )

    def canonical(self) -> object:
        """Equal for checks that differ in the order or nesting of their items alone."""
        if self.function not in _GROUPS:
            return (self.function, *sorted((k, repr(v)) for k, v in self.arguments.items()))
        parts: set[object] = set()
        for item in self.items:
            one = item.canonical()
            if isinstance(one, tuple) and one[0] == self.function:
                parts |= one[1]
            else:
                parts.add(one)
        return next(iter(parts)) if len(parts) == 1 else (self.function, frozenset(parts))


def column_check(function: str, column: str, value: object) -> Check:
    """CheckValue or CheckNotValue of one column."""
    return Check(function, {"ColumnName": column, "Value": value})


@dataclass(frozen=True)
class Rule:
    """One rule as published. `requirement` is None where only people can judge."""

    id: str
    function: str
    """Presence, Type, Format, Nullability, Validation or Composite."""
    reference: str
    """Column or attribute it is about."""
    entity: str
    keyword: str
    text: str
    static: bool
    active: bool
    requirement: Check | None
    condition: Check | None
    criteria: tuple[str, ...]
    mended: bool = False
    """Whether a misspelt argument of the model was read as the one it stands for."""

    @property
    def children(self) -> tuple[str, ...]:
        """Rules that this one is composed of."""
        if self.requirement is None:
            return ()
        return tuple(
            check["ModelRuleId"]
            for check in self.requirement.walk()
            if check.function == "CheckModelRule"
        )

    @property
    def alternatives(self) -> bool:
        """Whether one of its children is enough."""
        return self.requirement is not None and self.requirement.function == "OR"


@dataclass(frozen=True)
class RuleModel:
    """A published model: its rules by id, in the order they are published."""

    version: str
    rules: Mapping[str, Rule]
    criteria: Mapping[str, str]
    """Applicability criterion -> what it says of a provider."""
    datasets: Mapping[str, tuple[str, ...]]
    """Dataset -> its topmost rules."""
    attributes: Mapping[str, tuple[str, ...]]
    """Attribute rule -> the check functions that judge it where columns ask for it."""

    def of_dataset(self, dataset: str) -> frozenset[str]:
        """Ids of every rule that a dataset's topmost rules lead to."""
        found: set[str] = set()
        waiting = list(self.datasets[dataset])
        while waiting:
            rule_id = waiting.pop()
            if rule_id in found or rule_id not in self.rules:
                continue
            found.add(rule_id)
            waiting.extend(self.rules[rule_id].children)
        return frozenset(found)

    def presence(self, dataset: str) -> frozenset[str]:
        """Columns that the rules of a dataset speak of."""
        rules = (self.rules[rule_id] for rule_id in self.of_dataset(dataset))
        return frozenset(
            column for rule in rules if rule.requirement for column in rule.requirement.columns
        )


def load_model(path: Path) -> RuleModel:
    """Read a published rule model. Raises SettingsError for a file that is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _no_model(path, "there is no such file") from error
    except (OSError, ValueError) as error:
        raise _no_model(path, f"it cannot be read as JSON ({str(error)[:120]})") from error
    rules = document.get("ModelRules") if isinstance(document, dict) else None
    if not isinstance(rules, dict) or not rules:
        raise _no_model(path, "it has no ModelRules")
    known = {str(rule.get("Reference")) for rule in rules.values() if isinstance(rule, dict)}
    try:
        return RuleModel(
            version=str(document.get("Details", {}).get("FOCUSVersion", "unknown")),
            rules={name: _rule(name, rule, known) for name, rule in rules.items()},
            criteria={
                name: str(one.get("Description", ""))
                for name, one in document.get("ApplicabilityCriteria", {}).items()
            },
            datasets={
                name: tuple(one["ModelRules"])
                for name, one in document.get("ModelDatasets", {}).items()
            },
            attributes=_attributes(document.get("CheckFunctions", {})),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise _no_model(path, f"a rule of it is not of the published shape ({error!r})") from error


def _no_model(path: Path, found: str) -> SettingsError:
    fault = Fault(
        code="no_rule_model",
        file=str(path),
        expected=f"A FOCUS rule model; {found}.",
        hint=f"{WHERE_TO_GET}.",
    )
    return SettingsError(f"{path} is no FOCUS rule model", (fault,))


def _attributes(functions: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    attributes: dict[str, list[str]] = {}
    for name, one in functions.items():
        for attribute in one.get("FormatAttributes", []):
            attributes.setdefault(attribute.split("-")[0], []).append(name)
    return {name: tuple(held) for name, held in attributes.items()}


def _rule(rule_id: str, raw: Mapping[str, Any], known: set[str]) -> Rule:
    criteria = raw["ValidationCriteria"]
    requirement, mended = _check(criteria["Requirement"], known)
    condition, mended_too = _check(criteria["Condition"], known)
    return Rule(
        id=rule_id,
        function=raw["Function"],
        reference=raw["Reference"],
        entity=raw["EntityType"],
        keyword=criteria["Keyword"].upper(),
        text=" ".join(str(criteria["MustSatisfy"]).split()),
        static=raw.get("Type") != "Dynamic",
        active=raw.get("Status", "Active") == "Active",
        requirement=requirement,
        condition=condition,
        criteria=tuple(raw.get("ApplicabilityCriteria", ())),
        mended=mended or mended_too,
    )


def _check(raw: Any, known: set[str]) -> tuple[Check | None, bool]:
    """The check and whether its spelling was mended; published models have a few slips.

    Seen: `{"AND": [...]}` for `{"CheckFunction": "AND", "Items": [...]}`, and another name for
    the argument that holds the column.
    """
    if not raw:
        return None, False
    function, items, mended = raw.get("CheckFunction"), raw.get("Items", []), False
    arguments = {k: v for k, v in raw.items() if k not in ("CheckFunction", "Items")}
    if function is None and len(raw) == 1 and next(iter(raw)) in _GROUPS:
        (function, items), mended, arguments = next(iter(raw.items())), True, {}
    read = [_check(item, known) for item in (items if isinstance(items, list) else [items])]
    named = any(_COLUMN_ARGUMENT.match(name) for name in arguments)
    odd = [k for k, v in arguments.items() if isinstance(v, str) and v in known]
    if len(odd) == 1 and not named:
        arguments["ColumnName"] = arguments.pop(odd[0])
        mended = True
    return (
        Check(str(function), arguments, tuple(check for check, _ in read if check is not None)),
        mended or any(one for _, one in read),
    )
