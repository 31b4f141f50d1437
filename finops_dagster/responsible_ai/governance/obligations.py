"""What the EU AI Act and NIST's AI RMF ask for, as data: references, titles, and of whom.

Which check gives evidence for which is told in `evidence`. No legal advice: whether an obligation
applies, and is met, is for the provider, the deployer and their lawyers to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_dagster.domain.models import RiskClass

AI_ACT = "EU AI Act"
"""Regulation (EU) 2024/1689 of 13 June 2024, OJ L, 2024/1689, 12.7.2024."""
AI_RMF = "NIST AI RMF 1.0"
"""NIST AI 100-1, Artificial Intelligence Risk Management Framework, January 2023."""
SOURCES = {
    AI_ACT: "Regulation (EU) 2024/1689 of 13 June 2024 laying down harmonised rules on artificial "
    "intelligence, OJ L, 2024/1689, 12.7.2024",
    AI_RMF: "NIST AI 100-1, Artificial Intelligence Risk Management Framework (AI RMF 1.0), "
    "January 2023",
}
NOT_ADVICE = (
    "What is shown is evidence that bears on an obligation, not that it is met. It is no legal "
    "advice."
)

_EVERY = frozenset(RiskClass)
_HIGH = frozenset({RiskClass.HIGH, RiskClass.UNKNOWN})
"""What nobody has classed is shown what a high-risk system owes: to class it lower is a decision
that its provider documents (Article 6(4))."""
_PEOPLE = frozenset({RiskClass.HIGH, RiskClass.LIMITED, RiskClass.UNKNOWN})


@dataclass(frozen=True)
class Article:
    """One article, as far as this register goes, and the risk classes that it binds."""

    name: str
    title: str
    binds: frozenset[RiskClass]
    who: str
    """Provider, deployer or both."""


ARTICLES: tuple[Article, ...] = (
    Article("Article 5", "Prohibited AI practices", frozenset({RiskClass.PROHIBITED}), "both"),
    Article("Article 6", "Classification rules for high-risk AI systems", _EVERY, "provider"),
    Article("Article 9", "Risk management system", _HIGH, "provider"),
    Article("Article 10", "Data and data governance", _HIGH, "provider"),
    Article("Article 11", "Technical documentation (with Annex IV)", _HIGH, "provider"),
    Article("Article 12", "Record-keeping", _HIGH, "provider"),
    Article(
        "Article 13",
        "Transparency and provision of information to deployers",
        _HIGH,
        "provider",
    ),
    Article("Article 14", "Human oversight", _HIGH, "both"),
    Article("Article 15", "Accuracy, robustness and cybersecurity", _HIGH, "provider"),
    Article("Article 17", "Quality management system", _HIGH, "provider"),
    Article("Article 19", "Automatically generated logs", _HIGH, "provider"),
    Article("Article 20", "Corrective actions and duty of information", _HIGH, "provider"),
    Article("Article 26", "Obligations of deployers of high-risk AI systems", _HIGH, "deployer"),
    Article(
        "Article 27",
        "Fundamental rights impact assessment for high-risk AI systems",
        _HIGH,
        "deployer",
    ),
    Article("Article 49", "Registration in the EU database", _HIGH, "both"),
    Article(
        "Article 50",
        "Transparency obligations for providers and deployers of certain AI systems",
        _PEOPLE,
        "both",
    ),
    Article(
        "Article 72",
        "Post-market monitoring by providers and post-market monitoring plan",
        _HIGH,
        "provider",
    ),
    Article("Article 73", "Reporting of serious incidents", _HIGH, "provider"),
    Article("Article 86", "Right to explanation of individual decision-making", _HIGH, "deployer"),
    Article("Article 95", "Codes of conduct for voluntary application", _EVERY, "both"),
)
"""Those that a check, a rule or an entry of this register bears on; the Act has more."""


@dataclass(frozen=True)
class Category:
    """One subcategory of the AI RMF's core."""

    name: str
    words: str
    """What it asks for, shortened."""


CATEGORIES: tuple[Category, ...] = (
    Category("GOVERN 1.1", "Legal and regulatory requirements are understood and documented"),
    Category("GOVERN 1.4", "Risk management is established through transparent policies"),
    Category("GOVERN 1.5", "Monitoring and periodic review are planned"),
    Category("GOVERN 1.6", "AI systems are inventoried"),
    Category("GOVERN 2.1", "Roles and responsibilities are documented"),
    Category("GOVERN 3.2", "Roles for human-AI configurations and oversight are defined"),
    Category("GOVERN 6.1", "Risks of third parties are addressed by policies"),
    Category("MAP 1.1", "Intended purposes and settings are understood and documented"),
    Category("MAP 2.2", "Knowledge limits and how output is overseen are documented"),
    Category("MAP 3.5", "Processes for human oversight are defined and documented"),
    Category("MEASURE 2.1", "Test sets, metrics and tools are documented"),
    Category("MEASURE 2.3", "Performance is measured for conditions like those of deployment"),
    Category("MEASURE 2.4", "Function and behaviour are monitored in production"),
    Category("MEASURE 2.5", "The system is demonstrated to be valid and reliable"),
    Category("MEASURE 2.8", "Risks to transparency and accountability are examined"),
    Category("MEASURE 2.9", "The model is explained, validated and documented"),
    Category("MEASURE 2.11", "Fairness and bias are evaluated and documented"),
    Category("MEASURE 2.12", "Environmental impact is assessed and documented"),
    Category("MEASURE 2.13", "The effectiveness of metrics and processes is evaluated"),
    Category("MEASURE 3.1", "Existing and emergent risks are tracked regularly"),
    Category("MANAGE 1.3", "Responses to high-priority risks are developed and documented"),
    Category("MANAGE 2.4", "Mechanisms to supersede, disengage or deactivate are in place"),
    Category("MANAGE 3.2", "Pre-trained models are monitored"),
    Category("MANAGE 4.1", "Post-deployment monitoring plans are implemented"),
    Category("MANAGE 4.3", "Incidents and errors are communicated and tracked"),
)


def articles_for(risk_class: RiskClass) -> tuple[Article, ...]:
    """Articles shown for a system of this risk class, in the order of the Act."""
    return tuple(one for one in ARTICLES if risk_class in one.binds)
