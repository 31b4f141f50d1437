"""Model cards: figures by segment, what changed and which way, pages that run nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from finops_dagster.domain.alerts import Alert, Answer, Held, Opinion
from finops_dagster.domain.decisions import GateResult
from finops_dagster.domain.engines import EngineDescription, EngineKind
from finops_dagster.domain.incidents import Severity
from finops_dagster.responsible_ai.cards.card import (
    Card,
    CardData,
    Measured,
    SegmentMetrics,
    Training,
    make_card,
)
from finops_dagster.responsible_ai.cards.code import code_modules, code_version
from finops_dagster.responsible_ai.cards.diff import diff
from finops_dagster.responsible_ai.cards.measured import of_alerts, of_backtest, of_gates
from finops_dagster.responsible_ai.cards.pages import write_cards

HOSTILE = "<script>alert(1)</script>"
ENGINE = EngineDescription(
    name="cost-forecast",
    title=f"Forecaster {HOSTILE}",
    kind=EngineKind.FORECASTER,
    version="1",
    purpose="Daily cost per team.",
    method="Trees.",
    features=("lag_7", HOSTILE),
    parameters={"trees": 250},
    limits=("Not for new teams.",),
    modules=(),
    learns=True,
)


def segment(name: str, cases: int, **values: float) -> SegmentMetrics:
    return SegmentMetrics(segment=name, cases=cases, values=values)


def card(day: date = date(2026, 10, 22), code: str = "abc", **measured: object) -> Card:
    return make_card(
        ENGINE,
        Measured(**measured),  # type: ignore[arg-type]
        as_of=day,
        code_version=code,
        code_modules=3,
    )


def test_scores_are_told_by_segment_beside_simpler_models() -> None:
    """An average hides the team that is forecast badly."""
    rows = [
        ("(pooled)", "ours", 90, 0.8, 12.0, 0.79),
        ("team|USD|search", "ours", 60, 1.4, 30.0, float("nan")),
        ("service|USD|Storage", "ours", 30, 0.5, 5.0, 0.81),
        ("(pooled)", "seasonal_naive", 90, 1.1, 15.0, float("nan")),
        ("team|USD|search", "seasonal_naive", 60, 1.0, 20.0, float("nan")),
    ]
    columns = ["unique_id", "model", "n", "mase", "smape", "coverage_80"]
    rungs = pd.DataFrame({"unique_id": list("abcd"), "rung": ["pooled"] * 3 + ["level"]})
    metrics, baselines = of_backtest(pd.DataFrame(rows, columns=columns), rungs)
    assert [(one.segment, one.cases) for one in metrics] == [
        ("all", 90), ("team=search", 60), ("service=Storage", 30),
    ]  # fmt: skip
    assert metrics[0].values["simpler_share"] == 0.25
    assert metrics[0].values["forecast"] == 4
    # what was not measured is not there, in place of a nought
    assert metrics[1].values == {"mase": 1.4, "smape": 30.0}
    assert baselines == {"seasonal_naive": {"mase": 1.1, "smape": 15.0}}
    several = [("team|USD|a", "ours", 9, 1.0, 1.0, 0.8), ("team|EUR|a", "ours", 9, 2.0, 1.0, 0.8)]
    apart, _ = of_backtest(pd.DataFrame(several, columns=columns), None)
    assert [one.segment for one in apart] == ["team=a (EUR)", "team=a (USD)"]
    assert of_backtest(None, None) == ((), {})


def alert(incident: str, owner: str, day: int, held: Held | None = None) -> Alert:
    return Alert(
        incident=incident, owner=owner, parts=(), severity=Severity.LOW, held=held, because="",
        as_of=date(2026, 10, day),
    )  # fmt: skip


def answer(incident: str, opinion: Opinion, day: int) -> Answer:
    at = datetime(2026, 10, day, 9, tzinfo=UTC)
    return Answer(incident=incident, opinion=opinion, parts=(), said_at=at)


def test_answers_count_once_an_incident_and_not_before_they_were_given() -> None:
    """A card must not know what people said a day later."""
    earlier = [alert("a", "search", 1), alert("b", "search", 2), alert("c", "sales", 3)]
    answers = [
        answer("a", Opinion.NOISE, 2),
        answer("a", Opinion.USEFUL, 3),
        answer("b", Opinion.NOISE, 9),
        answer("c", Opinion.NOISE, 4),
    ]
    today = [alert("d", "search", 5), alert("e", "sales", 5, Held.OVER)]
    found = {one.segment: one for one in of_alerts(today, earlier, answers, date(2026, 10, 5))}
    assert found["all"].values == {
        "told": 1.0, "held": 1.0, "answered_share": 0.5, "useful_share": 0.5,
    }  # fmt: skip
    assert found["team=search"].cases == 3
    assert found["team=search"].values["useful_share"] == 1.0
    assert found["team=sales"].values["held"] == 1.0


def test_gates_are_counted_by_owner() -> None:
    """Whoever answers for a model sees what was said of it."""
    gates = [
        GateResult(gate="a", result="fail", reasons=()),
        GateResult(gate="b", result="warn", reasons=()),
        GateResult(gate="c", result="pass", reasons=()),
    ]
    found = {one.segment: one.values for one in of_gates(gates, {"a": "risk", "b": "risk"})}
    assert found["team=risk"] == {"models": 2.0, "warned": 1.0, "failed": 1.0}
    assert found["team=unknown"]["models"] == 1.0


def test_what_changed_is_told_with_better_and_worse() -> None:
    """A figure that moved says little until it is said which way is good."""
    before = card(
        date(2026, 10, 21),
        data=CardData(first=date(2026, 1, 1), last=date(2026, 10, 20), rows=10, hash="x"),
        metrics=(
            segment("all", 90, mase=0.8, coverage_80=0.7, forecast=4),
            segment("team=a", 90, coverage_80=0.9, mase=1.0),
            segment("team=b", 5, mase=1.0),
            segment("team=gone", 90, mase=1.0),
        ),
    )
    after = card(
        code="def",
        data=CardData(first=date(2026, 1, 1), last=date(2026, 10, 21), rows=10, hash="y"),
        parameters={"model.1.rounds": 9},
        metrics=(
            segment("all", 90, mase=0.9, coverage_80=0.75, forecast=5),
            segment("team=a", 90, coverage_80=0.95, mase=1.005),
            segment("team=b", 90, mase=2.0),
        ),
    )
    found = diff(before, after)
    told = {one.what: (one.part, one.before, one.after, one.verdict) for one in found.changes}
    assert told == {
        "code": ("code", "abc", "def", ""),
        "last": ("data", "2026-10-20", "2026-10-21", ""),
        "hash": ("data", "x", "y", ""),
        "model.1.rounds": ("parameters", "", "9", ""),
        "all: mase": ("metrics", "0.8", "0.9", "worse"),
        "all: coverage_80": ("metrics", "0.7", "0.75", "better"),
        "all: forecast": ("metrics", "4", "5", ""),
        "team=a: coverage_80": ("metrics", "0.9", "0.95", "worse"),
        "team=b: mase": ("metrics", "1", "2", "too few cases"),
        "team=gone: mase": ("metrics", "1", "", ""),
    }
    assert (found.counted("better"), found.counted("worse")) == (1, 2)
    assert diff(after, after).changes == ()
    other = after.model_copy(update={"name": "another"})
    with pytest.raises(ValueError, match="two engines"):
        diff(before, other)


def test_a_card_is_what_it_says_whatever_its_training_took() -> None:
    """The same model made again must have the same hash."""
    slow = card(training=Training(seconds=9.0, energy_kwh=0.1, carbon_kg=0.02, method="measured"))
    assert slow.hash == card().hash != card(code="def").hash
    assert card().training.energy_kwh is None and "did not measure" in card().training.method
    assert Card.model_validate_json(slow.model_dump_json()) == slow


def test_pages_tell_all_and_run_nothing(tmp_path: Path) -> None:
    """A card that leaves out the limits sells a model; one that runs a tag's text betrays it."""
    before = card(date(2026, 10, 21), metrics=(segment("all", 90, mase=0.8),))
    many = [segment(f"team={HOSTILE}{n:02d}", 30, mase=1.0 + n) for n in range(20)]
    after = card(
        data=CardData(first=date(2026, 1, 1), last=date(2026, 10, 21), rows=12345, hash="h4sh"),
        metrics=(segment("all", 90, mase=0.87, coverage_80=0.805), *many),
        baselines={"seasonal_naive": {"mase": 1.2}},
        not_measured=(HOSTILE,),
        gate=GateResult(gate="forecast", result="warn", reasons=(HOSTILE,)),
        training=Training(seconds=12.5, energy_kwh=0.0123, carbon_kg=0.004, method="measured"),
    )
    index = write_cards(tmp_path, [after], {after.name: diff(before, after)})
    assert index == tmp_path / "cards" / "index.html"
    listed = index.read_text("utf-8")
    text = (tmp_path / "cards" / "cost-forecast.html").read_text("utf-8")
    for page in (listed, text):
        assert "<script" not in page
        assert "http" not in page
    for part in ("12,345", "h4sh", "Not for new teams.", "seasonal naive", "0.87", "80.5%",
                 "not measured", "was 0.8", "worse", "2026-01-01 to 2026-10-21", "0.0123 kWh",
                 "12.5 s", "9 more", "<code>lag_7</code>", "of 3 modules"):  # fmt: skip
        assert part in " ".join(text.split()), part
    assert "cost-forecast.html" in listed and "1 worse" in listed


def test_the_code_version_is_of_what_a_module_imports(tmp_path: Path) -> None:
    """A change in a helper changes the engine; one in a neighbour does not."""
    package = tmp_path / "top" / "engines" / "a"
    (package / "deep").mkdir(parents=True)
    (tmp_path / "top" / "engines" / "b").mkdir()
    (package / "one.py").write_text("from top.engines.a import two\nfrom top.engines.b import x\n")
    (package / "two.py").write_text("import top.engines.a.deep.three\nX = 1\n")
    (package / "deep" / "three.py").write_text("Y = 1\n")
    (package / "four.py").write_text("Z = 1\n")
    (tmp_path / "top" / "engines" / "b" / "x.py").write_text("W = 1\n")
    begin = ("top.engines.a.one",)
    assert code_modules(tmp_path, begin) == (
        "top.engines.a.deep.three", "top.engines.a.one", "top.engines.a.two",
    )  # fmt: skip
    was = code_version(tmp_path, begin)
    (package / "four.py").write_text("Z = 2\n")
    (tmp_path / "top" / "engines" / "b" / "x.py").write_text("W = 2\n")
    assert code_version(tmp_path, begin) == was
    (package / "deep" / "three.py").write_text("Y = 2\n")
    assert code_version(tmp_path, begin) != was
    with pytest.raises(FileNotFoundError):
        code_version(tmp_path, ("top.engines.a.nowhere",))
