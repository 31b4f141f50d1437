"""What people answered to incidents and were told of them, out of the ledger, for a day.

What is made of it is the engine's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.alerts import Alert, Answer
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.incidents import Incident
from finops_dagster.engines.anomalies import AlertRules, decide_alerts

ANSWER = "answer"
ALERT = "alert"
EXPLAINED = "incidents_explained"
"""Items of a day: incidents that were to be expected, listed apart."""


def answers(estate: Estate) -> list[Answer]:
    """Every word on an incident, in the order of saying."""
    return [Answer.model_validate(entry.payload) for entry in estate.ledger.entries(ANSWER)]


def keep_answer(estate: Estate, answer: Answer) -> None:
    """Append a word on an incident to the ledger."""
    estate.ledger.append(ANSWER, [(content_id(ANSWER, answer), answer)], answer.said_at)


def alerts(estate: Estate, incidents: Sequence[Incident], as_of: date) -> list[Alert]:
    """Which of a day's incidents people are told of; those go to the ledger."""
    settings = estate.settings
    rules = AlertRules(settings.alerts.per_team_and_day, settings.alerts.cool_off_days)
    earlier = [Alert.model_validate(entry.payload) for entry in estate.ledger.entries(ALERT)]
    made = decide_alerts(incidents, answers(estate), earlier, rules, as_of)
    estate.record(as_of, ALERT, [one for one in made if one.held is None])
    return made
