"""Each engine, gate and rule is moved by its input: what is shown was computed, not written down.

Everything is read from the publication of a real run; only one thing is changed each time.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from finops_dagster.defs.decision.context import judge_all
from finops_dagster.defs.decision.knowledge import known_on
from finops_dagster.defs.estate import POLICIES, Estate
from finops_dagster.defs.insight import facts
from finops_dagster.domain.decisions import Decision, GateResult, Proposal, Verdict
from finops_dagster.engines.forecasting import forecast
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.quality import AuditContext, AuditResult, judge_candidates
from finops_dagster.responsible_ai import ModelSpec, judge_model
from finops_dagster.settings import load
from finops_dagster.storage.publication import PublishedReader
from tests.e2e.estate import PARTS, SEED, World, create, finops

COSTS = "fct_costs_daily"
BANDS = ("mean", "lo80", "hi80", "lo95", "hi95")
OTHER_SEED = SEED + 1
SIGNAL_DAYS = 15
"""One more than the evidence window of sizing: enough to be sized by, and quick to take in."""


@pytest.fixture(scope="module")
def estate(world: World) -> Estate:
    return Estate(load(world.folder / "finops.yaml"))


@pytest.fixture(scope="module")
def reader(estate: Estate) -> PublishedReader:
    manifest = estate.publications.current()
    assert manifest is not None
    return estate.publications.reader(manifest)


def rewritten(reader: PublishedReader, mart: str, select: str) -> None:
    """Write every partition of a mart again as `select` makes it of the relation `mart`."""
    for path in reader.paths(mart):
        beside = path.with_suffix(".new")
        with duckdb.connect() as connection:
            connection.read_parquet(str(path)).create_view("mart")
            connection.execute(f"copy ({select}) to '{beside}' (format parquet)")
        beside.replace(path)


def published_in(folder: Path) -> PublishedReader:
    store = Estate(load(folder / "finops.yaml")).publications
    manifest = store.current()
    assert manifest is not None
    return store.reader(manifest)


def totals(reader: PublishedReader, as_of: date) -> pd.DataFrame:
    """The forecast of each currency's total cost, as the run makes it."""
    history = facts.cost_history(reader, as_of)
    assert history is not None
    series = facts.series(history)
    chosen = series.loc[series["scope"] == "total", ["unique_id", "ds", "y"]]
    frame = forecast(chosen, horizon=30, frequency="daily").frame
    return frame.set_index(["unique_id", "step"])[list(BANDS)]


def test_a_bill_twice_as_large_is_forecast_twice_as_large(
    estate: Estate, reader: PublishedReader, another_estate: Callable[..., Path]
) -> None:
    """A forecast that does not follow the bill is decoration."""
    as_of = estate.settings.decided_day()
    folder = another_estate()
    doubled = published_in(folder)
    rewritten(doubled, COSTS, "select * replace (effective_cost * 2 as effective_cost) from mart")
    before, after = totals(reader, as_of), totals(doubled, as_of)
    assert len(before) == 60
    ratio = after / before
    for band in BANDS:
        assert ratio[band].between(1.96, 2.04).all()
    # and only the newest weeks, which a forecast has to follow most
    recent = as_of - timedelta(days=27)
    folder = another_estate()
    risen = published_in(folder)
    rewritten(
        risen,
        COSTS,
        f"""select * replace (cast(case when charge_date >= date '{recent}' then 2 else 1 end
            * effective_cost as decimal(38, 20)) as effective_cost) from mart""",
    )
    lately = totals(risen, as_of)["mean"].groupby("unique_id").sum()
    assert (lately / before["mean"].groupby("unique_id").sum() > 1.4).all()


def test_a_shifted_feature_flips_the_drift_gate(
    estate: Estate, reader: PublishedReader, tmp_path: Path
) -> None:
    """A drift gate that passes whatever comes in guards nothing."""
    as_of = estate.settings.decided_day()
    (model,) = [one for one in estate.settings.models if one.name == "demand-forecast"]
    spec = ModelSpec(
        name=model.name, task=model.task.value, features=model.features, protected=model.protected
    )
    first = as_of - timedelta(days=spec.days - 1)
    made = facts.predictions(reader, model.name, first, as_of)
    labels = facts.labels(reader, model.name, first, as_of)
    assert made is not None
    day = estate.decided(as_of)
    assert day is not None
    kept = {gate.gate: gate.result for gate in day.items("gates", GateResult)}

    def judged(frame: pd.DataFrame, name: str) -> GateResult:
        folder = tmp_path / name
        return judge_model(frame, labels, spec, as_of=as_of, seed=0, folder=folder).gate

    assert judged(made, "as it is").result == kept[model.name] == "pass"
    newest = made["day"] > as_of - timedelta(days=spec.analysis_days)

    def dearer(row: Any) -> list[tuple[str, float]]:
        return [
            (name, value * 1.25 if name == "price_index" else value)
            for name, value in dict(row).items()
        ]

    shifted = made.copy()
    shifted.loc[newest, "features"] = shifted.loc[newest, "features"].map(dearer)
    gate = judged(shifted, "shifted")
    assert gate.result == "fail"
    assert any("price_index" in reason for reason in gate.reasons)
    assert not any("stock_days" in reason for reason in gate.reasons)
    assert (tmp_path / "shifted" / "drift.html").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("select", "failed"),
    [
        (
            "select * replace (case when row_number() over () = 7 then effective_cost + 0.01 "
            "else effective_cost end as effective_cost) from mart",
            "fct_costs_daily.cost_equals_conservation",
        ),
        (
            "select * replace (case when row_number() over () = 7 then 'Gift' "
            "else charge_category end as charge_category) from mart",
            "fct_costs_daily.charge_category_known",
        ),
        (
            "select * replace (case when billed_cost = (select max(billed_cost) from mart) "
            "then null else billing_currency end as billing_currency) from mart",
            "fct_costs_daily.billing_currency_present_where_cost",
        ),
    ],
)
def test_one_broken_row_fails_the_expectation_that_names_it(
    estate: Estate,
    reader: PublishedReader,
    another_estate: Callable[..., Path],
    select: str,
    failed: str,
) -> None:
    """An audit that does not see one cent, one word or one missing currency lets them through."""

    def audited(one: PublishedReader) -> AuditResult:
        names = (COSTS, "fct_bill_conservation")
        related = {name: tuple(one.paths(name)) for name in names}
        context = AuditContext(as_of=estate.settings.decided_day(), related=related)
        return judge_candidates(COSTS, related[COSTS][-1:], context)

    assert audited(reader).success
    broken = published_in(another_estate(*PARTS, ".finops/published"))
    rewritten(broken, COSTS, select)
    result = audited(broken)
    assert not result.success
    assert failed in [outcome.name for outcome in result.failures]
    (outcome,) = [one for one in result.failures if one.name == failed]
    assert outcome.unexpected_count == 1
    assert outcome.examples
    assert outcome.hint


def test_a_changed_limit_flips_a_verdict(
    estate: Estate, reader: PublishedReader, tmp_path: Path
) -> None:
    """Limits are data: whoever changes the number must change the answer, without any Rego."""
    as_of = estate.settings.decided_day()
    day = estate.decided(as_of)
    assert day is not None
    made = day.items("proposals", Proposal)
    known = known_on(estate, as_of, day, reader)

    def verdicts(bundle: Path) -> dict[str, Verdict]:
        judge = RegorusJudge(RegoBundle.load(bundle))
        return {one.subject: one for one in judge_all(judge, made, known)}

    def changed(old: str, new: str) -> Path:
        folder = tmp_path / new.replace(" ", "-")
        shutil.copytree(POLICIES, folder)
        limits = folder / "limits" / "data.yaml"
        text = limits.read_text(encoding="utf-8")
        assert old in text
        limits.write_text(text.replace(old, new), encoding="utf-8")
        return folder

    kept = {one.subject: one for one in day.items("verdicts", Verdict)}
    assert verdicts(POLICIES) == kept
    counts = Counter(one.decision for one in kept.values())
    strict = verdicts(changed("max_cut_share: 0.6", "max_cut_share: 0.1"))
    flipped = [one for one in made if kept[one.id].decision is Decision.ALLOW
               and strict[one.id].decision is Decision.NEEDS_APPROVAL]  # fmt: skip
    assert len(flipped) >= 5
    for one in flipped:
        rules = {rule.id: rule for rule in strict[one.id].rules}
        assert "10 %" in rules["change.large_cut"].limit
    loose = verdicts(changed("max_cut_share: 0.6", "max_cut_share: 1.0"))
    assert Counter(one.decision for one in loose.values())[Decision.ALLOW] > counts[Decision.ALLOW]
    tight = verdicts(changed("cpu_min_share: 0.15", "cpu_min_share: 9.0"))
    assert Counter(one.decision for one in tight.values())[Decision.DENY] > counts[Decision.DENY]


@pytest.mark.conformance
def test_another_seed_gives_other_pull_requests(world: World, tmp_path: Path) -> None:
    """The same pull requests for another company would be a recording."""
    folder = tmp_path / "other"
    create(folder, OTHER_SEED, 35)
    # Carbon stays whole: days that only some of the signals tell of must not stop the line.
    for signal in ("telemetry", "predictions", "labels", "runs", "model_versions", "token_usage"):
        for day in sorted((folder / signal).iterdir())[:-SIGNAL_DAYS]:
            shutil.rmtree(day)
    run = finops(folder, "run", "--json")
    assert run.code == 0, run.err
    assert run.json["opened"] >= 5
    ours = {(one["resource"], one["title"]) for one in world.finops("prs", "--json").items}
    theirs = {(one["resource"], one["title"]) for one in finops(folder, "prs", "--json").items}
    assert len(ours & theirs) <= len(theirs) // 4


def delivered(folder: Path) -> dict[tuple[str, str, str, str], Decimal]:
    """Sums of the export files in force: (source, period, currency, metric) -> amount.

    In force is the newest delivery of a period known when the decision for 2026-10-22 was due.
    """
    sums: dict[tuple[str, str, str, str], Decimal] = {}
    for period in sorted((folder / "exports").glob("*/billing_period=*")):
        known = {
            json.loads((one / "_delivery.json").read_text())["known_at"]: one
            for one in period.iterdir()
        }
        newest = known[max(at for at in known if at <= "2026-10-23T06:00:00Z")]
        for metric in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"):
            rows = duckdb.sql(
                f"select BillingCurrency, sum({metric}) from read_parquet('{newest}/*.parquet') "
                "group by 1"
            ).fetchall()
            for currency, amount in rows:
                place = (period.parent.name, period.name.split("=")[1], currency, metric)
                sums[place] = Decimal(amount)
    return sums


def test_no_cent_is_lost_between_the_files_and_the_mart(world: World) -> None:
    """A sum that is nearly right is wrong, and adding currencies together makes it meaningless."""
    files = delivered(world.folder)
    assert len(files) == 60
    assert {currency for _, _, currency, _ in files} == {"EUR", "USD"}
    columns = {
        "BilledCost": "billed_cost", "EffectiveCost": "effective_cost", "ListCost": "list_cost",
        "ContractedCost": "contracted_cost",
    }  # fmt: skip
    mart: dict[tuple[str, str, str, str], Decimal] = {}
    for row in world.finops("marts", COSTS, "--json").items:
        for metric, column in columns.items():
            place = (row["source"], row["billing_period"], row["billing_currency"], metric)
            mart[place] = mart.get(place, Decimal(0)) + Decimal(row[column])
    assert mart == files
    told = world.finops("ledger", "conserve", "--json")
    assert told.code == 0, told.err
    assert len(told.items) == 60
    for row in told.items:
        metric = next(name for name, column in columns.items() if column == row["metric"])
        place = (row["source"], row["period"], row["currency"], metric)
        assert Decimal(row["landing"]) == Decimal(row["mart"]) == files[place]
        assert Decimal(row["difference"]) == 0
        if row["metric"] == "billed_cost":
            assert Decimal(row["file"]) == files[place]
            assert Decimal(row["quarantined"]) == 0
