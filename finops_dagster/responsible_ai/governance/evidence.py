"""Which article and which category each check, and each policy rule about AI, gives evidence for.

What they ask for is told in `obligations`. Evidence is no proof that an obligation is met.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from finops_dagster.domain.models import Check

_ARTICLE = re.compile(r"^(Article \d+)")


@dataclass(frozen=True)
class Evidence:
    """What one check bears on, and why."""

    references: tuple[str, ...]
    """Articles of the EU AI Act, with paragraph and point where it is one."""
    categories: tuple[str, ...]
    """Subcategories of the NIST AI RMF."""
    why: str

    @property
    def articles(self) -> tuple[str, ...]:
        """The articles alone, each once; Annex IV is Article 11's."""
        names = []
        for one in self.references:
            found = _ARTICLE.match(one)
            names.append(found[1] if found else "Article 11")
        return tuple(dict.fromkeys(names))


OF_CHECK: Mapping[Check, Evidence] = {
    Check.DATA_DRIFT: Evidence(
        ("Article 9(2)(c)", "Article 10(3)", "Article 15(1)", "Article 26(5)", "Article 72(2)"),
        ("MEASURE 2.4", "MEASURE 3.1", "MANAGE 4.1"),
        "whether data met in use are still like those it was made of",
    ),
    Check.PREDICTION_DRIFT: Evidence(
        ("Article 15(1)", "Article 26(5)", "Article 72(2)"),
        ("MEASURE 2.4", "MANAGE 4.1"),
        "whether it behaves consistently over its lifetime",
    ),
    Check.CONCEPT_DRIFT: Evidence(
        ("Article 9(2)(c)", "Article 15(1)", "Article 15(4)", "Article 72(2)"),
        ("MEASURE 2.4", "MEASURE 2.5", "MEASURE 3.1", "MANAGE 4.1"),
        "whether what it learned still holds",
    ),
    Check.FAIRNESS: Evidence(
        ("Article 9(2)(a)", "Article 10(2)(f)", "Article 10(2)(g)", "Article 27(1)(d)"),
        ("MEASURE 2.11", "MANAGE 1.3"),
        "whether answers or errors fall on groups of people, and which",
    ),
    Check.QUALITY: Evidence(
        ("Article 15(1)", "Article 15(3)", "Article 26(5)", "Article 72(2)"),
        ("MEASURE 2.1", "MEASURE 2.3", "MEASURE 2.5", "MANAGE 4.1"),
        "how accurate it is, against what it was",
    ),
    Check.ESTIMATED_QUALITY: Evidence(
        ("Article 15(1)", "Article 26(5)", "Article 72(2)"),
        ("MEASURE 2.4", "MEASURE 2.13", "MANAGE 4.1"),
        "how accurate it likely is before the truth is known, with the record of such estimates",
    ),
    Check.COVERAGE: Evidence(
        ("Article 13(3)(b)", "Article 15(1)", "Article 15(3)"),
        ("MEASURE 2.5", "MEASURE 2.13"),
        "whether the uncertainty that it states is true",
    ),
    Check.BIAS: Evidence(
        ("Article 15(1)", "Article 72(2)"),
        ("MEASURE 2.3", "MEASURE 2.5"),
        "whether its forecasts err to one side",
    ),
    Check.ENERGY: Evidence(
        ("Annex IV(2)(c)", "Article 95(2)(b)"),
        ("MEASURE 2.12",),
        "what training and answering use, against the budget of its owner",
    ),
    Check.LOGGING: Evidence(
        ("Article 12(1)", "Article 12(2)", "Article 19(1)", "Article 26(6)"),
        ("GOVERN 1.5", "MEASURE 2.4", "MEASURE 2.8"),
        "whether its answers are recorded, all of them and with the right times",
    ),
    Check.EXPLANATION: Evidence(
        ("Article 13(1)", "Article 13(3)(b)", "Article 14(4)(c)", "Article 86(1)"),
        ("MAP 2.2", "MEASURE 2.9"),
        "whether its answers can be explained, and explanations add up",
    ),
    Check.REGISTRATION: Evidence(
        ("Article 6(4)", "Article 11(1)", "Article 17(1)(m)", "Article 49(1)"),
        ("GOVERN 1.6", "GOVERN 2.1", "MAP 1.1"),
        "whether what runs is registered, with an owner and a purpose",
    ),
}

OF_RULE: Mapping[str, Evidence] = {
    "ai/bias": Evidence(
        ("Article 9(5)", "Article 10(2)(g)"),
        ("MEASURE 2.11", "MANAGE 1.3"),
        "that a change of a model with unequal groups needs a person",
    ),
    "ai/drift": Evidence(
        ("Article 9(2)(c)", "Article 72(2)"),
        ("MEASURE 2.4", "MANAGE 4.1"),
        "that a change of a model whose inputs moved needs a person",
    ),
    "ai/energy": Evidence(
        ("Article 95(2)(b)",), ("MEASURE 2.12",), "that a model over its energy budget is held"
    ),
    "ai/explanation": Evidence(
        ("Article 13(1)", "Article 86(1)"),
        ("MEASURE 2.9",),
        "that a model says where its explanations are",
    ),
    "ai/gate": Evidence(
        ("Article 9(5)", "Article 14(4)(d)", "Article 20(1)", "Article 26(5)"),
        ("MAP 3.5", "MANAGE 1.3", "MANAGE 2.4"),
        "that a model in breach is held, and what changes it is merged by people",
    ),
    "ai/lineage": Evidence(
        ("Article 10(2)(b)", "Annex IV(2)(d)"),
        ("MAP 1.1", "MEASURE 2.1"),
        "that a model says which data it was made of",
    ),
    "ai/model_card": Evidence(
        ("Article 11(1)", "Article 13(3)"),
        ("MAP 1.1", "MAP 2.2"),
        "that a model has a card",
    ),
    "ai/owner": Evidence(
        ("Article 17(1)(m)", "Article 26(2)"),
        ("GOVERN 2.1",),
        "that somebody answers for a model",
    ),
    "ai/promotion": Evidence(
        ("Article 15(1)", "Article 17(1)(d)"),
        ("MEASURE 2.3", "MANAGE 4.1"),
        "that a new version replaces the old only where it is better, and worse for nobody",
    ),
    "approval/required": Evidence(
        ("Article 14(1)", "Article 26(2)"),
        ("GOVERN 3.2", "MAP 3.5"),
        "that a person decides, and who may",
    ),
    "autonomy/ladder": Evidence(
        ("Article 14(3)", "Article 14(4)(d)"),
        ("GOVERN 1.4", "GOVERN 3.2", "MANAGE 2.4"),
        "how far automation may go by itself, and that it can be overridden",
    ),
}
"""Folder of policies -> what its rules bear on: all about AI, and those that keep a person in
charge."""


def checks_for(article: str) -> tuple[Check, ...]:
    """Checks that give evidence for an article, in the order of `Check`."""
    return tuple(check for check in Check if article in OF_CHECK[check].articles)


def rules_for(article: str) -> tuple[str, ...]:
    """Folders of policies that give evidence for an article."""
    return tuple(rule for rule, one in OF_RULE.items() if article in one.articles)
