"""The right change for a model in breach: which one, on what evidence, and when none is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Abstained, FindingKind, ValueLocation
from finops_dagster.domain.models import Breach, Check, Remedy, RiskClass
from finops_dagster.domain.money import MoneyRange
from finops_dagster.responsible_ai.remedies.choosing import Choice, Place, Served, choose
from finops_dagster.responsible_ai.remedies.findings import counterfactual, figures, finding
from finops_dagster.responsible_ai.remedies.values import names, serving, until, with_version
from finops_dagster.responsible_ai.remedies.versions import History, Span, VersionRecord

TODAY = date(2026, 10, 16)  # a Friday
UNFAIR = Breach(
    check=Check.FAIRNESS,
    grade="fail",
    reason="sex: female is selected 0.61 times as often as male; the limit is 0.8",
    segment="sex=female",
    version="2.1.0",
    since=date(2026, 10, 10),
    figures={"selection_ratio": 0.61, "selection_ratio_limit": 0.8},
)
DRIFTED = Breach(
    check=Check.DATA_DRIFT,
    grade="fail",
    reason="2 of 5 inputs moved",
    since=date(2026, 10, 10),
    figures={"score": 0.9, "score_limit": 0.25},
)
NONE = Abstained(subject="m", reason="the settings name no value for it")


def value(text: str, field: str = "spec.predictor.model.storageUri") -> ValueLocation:
    return ValueLocation(
        resource="InferenceService/ml/m", field=field, value=text, file="ml/m.yaml", document=0,
        start_byte=10, end_byte=10 + len(text), editable=True, reason="",
    )  # fmt: skip


def served(**places: Place) -> Served:
    given: dict[str, Place] = {
        "version": value("gs://models/credit/2.1.0"), "canary": NONE, "pause": NONE,
        "retrain": NONE, **places,
    }  # fmt: skip
    return Served(**given)


def record(version: str, first: int, last: int, compliant: bool | None) -> VersionRecord:
    """A version that answered from `first` to `last` days ago."""
    span = Span(version, TODAY - timedelta(days=first), TODAY - timedelta(days=last), 4000)
    judged = span.last - timedelta(days=6)
    reason = {True: "it met the limits", False: "it breached them too", None: "too few answers"}
    return VersionRecord(span, judged, span.last, 1400, compliant, reason[compliant])


def versions(*earlier: VersionRecord, began: bool | None = True, shares: bool = False) -> History:
    running = Span("2.1.0", TODAY - timedelta(days=20), TODAY, 4000)
    return History(running, shares, began, earlier)


def chosen(
    *breaches: Breach,
    of: History | Abstained | None = None,
    at: Served | None = None,
    risk: RiskClass = RiskClass.HIGH,
) -> Choice:
    found = choose(
        "credit", breaches, of or versions(record("2.0.3", 90, 21, True)), at or served(), risk,
        as_of=TODAY,
    )  # fmt: skip
    assert isinstance(found, Choice)
    return found


def test_an_unfair_version_goes_back_to_the_last_compliant_one() -> None:
    """Harm: the newest earlier version is taken whatever it was, and is as unfair."""
    of = versions(
        record("2.0.1", 200, 120, True), record("2.0.2", 119, 60, True),
        record("2.0.3", 59, 21, False),
    )  # fmt: skip
    found = chosen(UNFAIR, of=of)
    assert (found.remedy, found.proposed) == (Remedy.ROLLBACK, "gs://models/credit/2.0.2")
    assert found.back_to is not None
    assert found.back_to.span.version == "2.0.2"
    assert "2026-08-11 to 2026-08-17 (1,400) it met the limits" in found.because


def test_what_did_not_come_with_the_version_does_not_leave_with_it() -> None:
    """Harm: a version that was fine for weeks is taken back for what changed in the world."""
    of = versions(record("2.0.3", 90, 21, True), began=False)
    date_of_training = value("2026-08-30", "spec.dataUntil")
    found = chosen(UNFAIR, of=of, at=served(retrain=date_of_training))
    assert (found.remedy, found.proposed) == (Remedy.RETRAIN, "2026-10-11")
    assert "it did not come with the version" in found.because


def test_a_canary_in_breach_gets_no_traffic() -> None:
    """Harm: all traffic is moved where a share of it was asked for."""
    share = value("20", "spec.predictor.canaryTrafficPercent")
    of = versions(record("2.0.3", 90, 0, True), shares=True)
    found = chosen(UNFAIR, of=of, at=served(canary=share))
    assert (found.remedy, found.proposed, found.place) == (Remedy.CANARY, "0", share)
    alone = chosen(UNFAIR, at=served(canary=share))
    assert alone.remedy is Remedy.ROLLBACK
    stopped = served(canary=share.model_copy(update={"value": "0"}))
    assert chosen(UNFAIR, of=of, at=stopped).remedy is Remedy.ROLLBACK


@pytest.mark.parametrize("compliant", [False, None])
def test_grave_harm_without_a_compliant_version_is_paused_where_the_owner_said_how(
    compliant: bool | None,
) -> None:
    """Harm: a model of high risk goes on harming, or one of low risk is switched off."""
    of = versions(record("2.0.3", 90, 21, compliant))
    pause = served(pause=value("3", "spec.predictor.minReplicas"))
    found = chosen(UNFAIR, of=of, at=pause)
    assert (found.remedy, found.proposed) == (Remedy.PAUSE, "0")
    assert chosen(UNFAIR, of=of, at=pause, risk=RiskClass.LIMITED).remedy is Remedy.RETRAIN
    estimated = UNFAIR.model_copy(update={"check": Check.ESTIMATED_QUALITY})
    assert chosen(estimated, of=of, at=pause).remedy is Remedy.RETRAIN
    already = chosen(UNFAIR, of=of, at=served(pause=value("0", "spec.replicas")))
    assert already.no_edit == "it is declared to be paused already"


def test_drift_is_trained_anew_and_no_version_is_touched() -> None:
    """Harm: an older version, which knows the moved inputs even less, is put back."""
    suspended = value("true", "spec.suspend")
    assert chosen(DRIFTED, at=served(retrain=suspended)).proposed == "false"
    running = chosen(DRIFTED, at=served(retrain=value("false", "spec.suspend")))
    assert "trains at its own times" in running.no_edit
    dated = chosen(DRIFTED, at=served(retrain=value("2026-08-30T00:00:00Z", "spec.dataUntil")))
    assert dated.proposed == "2026-10-11T00:00:00Z"
    assert chosen(DRIFTED).no_edit == NONE.reason
    odd = chosen(DRIFTED, at=served(retrain=value("last week", "spec.dataUntil")))
    assert "a date, or suspend of a CronJob" in odd.no_edit


def test_a_training_that_was_asked_for_is_waited_for() -> None:
    """Harm: a pull request a week for a training that has not ended yet."""
    for declared in ("2026-10-11", "2026-10-30", "2026-10-10"):
        found = chosen(DRIFTED, at=served(retrain=value(declared, "spec.dataUntil")))
        assert (found.proposed, found.place) == ("", None)
        assert "wait for the version" in found.no_edit


def test_harm_goes_before_drift() -> None:
    """Harm: people go on being harmed for the weeks that a training takes."""
    assert chosen(DRIFTED, UNFAIR, at=served(retrain=value("true", "spec.suspend"))).remedy is (
        Remedy.ROLLBACK
    )


def test_a_warning_and_an_unknown_check_change_nothing() -> None:
    """Harm: every model that looks a little off on a day gets a pull request."""
    of, at = versions(), served()
    likely = UNFAIR.model_copy(update={"grade": "warn"})
    assert choose("m", [likely], of, at, RiskClass.HIGH, as_of=TODAY) is None
    assert choose("m", [], of, at, RiskClass.HIGH, as_of=TODAY) is None
    silent = UNFAIR.model_copy(update={"check": Check.LOGGING})
    refused = choose("m", [silent], of, at, RiskClass.HIGH, as_of=TODAY)
    assert isinstance(refused, Abstained)
    assert refused.reason == "nothing in Git is known to mend logging"


def test_no_edit_is_guessed() -> None:
    """Harm: a tag beside a digest is edited, which serves the same model as before."""
    digest = value(f"registry/credit:2.1.0@sha256:{'a' * 64}")
    for place in (digest, value("gs://2.1.0/2.1.0"), NONE):
        found = chosen(UNFAIR, at=served(version=place))
        assert (found.remedy, found.place, found.proposed) == (Remedy.ROLLBACK, None, "")
        assert found.no_edit
    unknown = chosen(UNFAIR, of=Abstained(subject="m", reason="no log is published"))
    assert unknown.remedy is Remedy.RETRAIN
    assert "cannot be told apart: no log is published" in unknown.because


def test_the_value_that_is_served() -> None:
    """Harm: a label that repeats the version is edited, or 12.1.0 is taken for 2.1.0."""
    uri = value("gs://models/credit/2.1.0")
    label = value("2.1.0", "spec.template.metadata.labels[app.kubernetes.io/version]")
    other = value("registry/tool:12.1.0", "spec.template.spec.containers[name=a].image")
    assert serving([uri, label, other], "2.1.0", "m") == uri
    image = value("registry:5000/credit:v2.1.0", "spec.template.spec.containers[name=b].image")
    assert serving([image, other], "2.1.0", "m") == image
    several = serving([uri, image], "2.1.0", "m")
    assert isinstance(several, Abstained)
    assert "2 declared values name version 2.1.0" in several.reason
    assert isinstance(serving([other], "2.1.0", "m"), Abstained)
    assert with_version("registry:5000/credit:v2.1.0", "2.1.0", "2.0.3") == (
        "registry:5000/credit:v2.0.3"
    )
    assert with_version("2.1.0", "2.1.0", "a b") is None


@given(
    st.lists(st.text("abc-", min_size=1, max_size=6), min_size=1, max_size=5),
    st.text("0123456789.", min_size=1, max_size=6),
    st.text("0123456789.", min_size=1, max_size=6),
)
def test_a_version_put_in_is_taken_out_again(parts: list[str], old: str, new: str) -> None:
    """Harm: what surrounds the version is changed with it."""
    path = "/".join([*parts, old])
    there = with_version(path, old, new)
    assert there == "/".join([*parts, new])
    assert names(there, new)
    assert with_version(there, new, old) == path


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_a_training_date_moves_once_a_week(as_of: date) -> None:
    """Harm: an open pull request is written again every day, and loses its approvals."""
    got = until("2000-01-01", as_of)
    assert got is not None
    sunday = date.fromisoformat(got)
    assert sunday.isoweekday() == 7
    assert timedelta() <= as_of - sunday < timedelta(days=7)


def test_as_a_finding() -> None:
    """Harm: a reviewer cannot tell what was broken, by how much, and what would make it right."""
    money = MoneyRange(low=Decimal(1), mid=Decimal(250), high=Decimal(900), currency="EUR")
    breach = UNFAIR.model_copy(update={"at_stake": money})
    one = finding(
        chosen(breach), model="credit", version="2.1.0", workload="InferenceService/ml/m",
        owner="fraud", environment="", answers=1380, confidence=1.0, first=date(2026, 10, 10),
        as_of=TODAY,
    )  # fmt: skip
    assert (one.kind, one.resource) == (FindingKind.MODEL_ROLLBACK, "InferenceService/ml/m")
    assert (one.current, one.proposed) == ("gs://models/credit/2.1.0", "gs://models/credit/2.0.3")
    assert one.reason.startswith("credit 2.1.0 fails its gate: sex: female is selected 0.61 times")
    assert one.counterfactual == (
        "its selection ratio (sex=female) were at least 0.8 (it is 0.61)",
    )
    assert one.evidence.figures == {
        "fairness of sex=female: selection_ratio": 0.61,
        "fairness of sex=female: selection_ratio_limit": 0.8,
        "fairness of sex=female: at_stake_per_month_eur": 250.0,
    }
    assert (one.evidence.window_start.day, one.evidence.window_end.day) == (10, 17)
    assert one.saving_per_month.currency == "XXX"
    assert one.environment == "unknown"
    assert "can no longer read" in one.wrong_if
    advised = finding(
        replace(chosen(DRIFTED)), model="credit", version="", workload="InferenceService/ml/m",
        owner="fraud", environment="prod", answers=0, confidence=0.5, first=date(2026, 10, 10),
        as_of=TODAY,
    )  # fmt: skip
    assert (advised.field, advised.proposed) == ("", "")
    assert advised.reason.endswith("No edit is known: the settings name no value for it.")


def test_what_would_have_to_be_true() -> None:
    """Harm: a limit is told the wrong way round, or a figure that nobody limits."""
    other = DRIFTED.model_copy(update={"figures": {"error_ratio": 1.3, "error_ratio_limit": 1.25}})
    assert counterfactual([UNFAIR, DRIFTED, other, UNFAIR]) == (
        "its selection ratio (sex=female) were at least 0.8 (it is 0.61) and "
        "its data drift score were at most 0.25 (it is 0.9) and "
        "its data drift error ratio were at most 1.25 (it is 1.3)",
    )
    unlimited = UNFAIR.model_copy(update={"figures": {"rows": 12.0}})
    assert counterfactual([unlimited]) == ()
    assert counterfactual([DRIFTED, unlimited]) == ()
    several = DRIFTED.model_copy(update={"figures": {**DRIFTED.figures, "columns": 2.0}})
    assert counterfactual([several]) == (
        "none of 2 columns showed data drift (the farthest moved by 0.9, its limit is 0.25)",
    )
    worse = UNFAIR.model_copy(
        update={
            "check": Check.QUALITY,
            "segment": "all",
            "figures": {
                "accuracy": 0.7, "accuracy_drop": 0.12, "accuracy_drop_low": 0.08,
                "accuracy_drop_limit": 0.05,
            },
        }
    )  # fmt: skip
    assert counterfactual([worse]) == ("its accuracy drop were at most 0.05 (it is 0.12)",)
    assert figures([DRIFTED]) == {"data_drift: score": 0.9, "data_drift: score_limit": 0.25}
