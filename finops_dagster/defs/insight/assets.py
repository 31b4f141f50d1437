"""What a day's publication tells: forecasts, anomalies, findings, the health of AI models.

Each body reads one publication, calls one engine, writes what it said and shows it.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from finops_dagster.defs import line, rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.defs.insight.carded import CARDS, build_cards
from finops_dagster.defs.insight.incidents import INCIDENTS, build_incidents
from finops_dagster.defs.insight.resources import DECLARED, RESOURCES
from finops_dagster.defs.insight.telemetry import TELEMETRY_ANOMALIES, build_telemetry
from finops_dagster.defs.insight.training import TrainingMeter
from finops_dagster.defs.insight.training import keep as keep_training
from finops_dagster.defs.insight.violations import VIOLATIONS, build_violations
from finops_dagster.defs.jobs import CLOCK_TAG, DECIDE_JOB
from finops_dagster.defs.metadata import (
    day_page,
    each_partition,
    frame_schema,
    frame_table,
    link,
    picture,
    records_table,
)
from finops_dagster.defs.shared import OWNERS, WAREHOUSE_POOL, Clocks, window
from finops_dagster.desired_state.rows import identifier_rows, resource_rows
from finops_dagster.domain.decisions import Abstained
from finops_dagster.storage.days import DayStore

MODEL_GATE = "model_gate"
_FORECAST_FRAMES = (
    "cost_series",
    "forecasts",
    "forecast_contributions",
    "forecast_backtest",
    "forecast_rungs",
    "forecast_origins",
    "forecast_inputs_reference",
    "forecast_inputs_current",
)
_BUDGET_FRAMES = (
    "budget_forecasts",
    "budget_forecast_contributions",
    "budget_forecast_backtest",
    "budget_forecast_rungs",
    "budget_sums",
)
PUBLICATION = dg.AssetKey(["insight", "publication"])
DESIRED_STATE = dg.AssetKey(["insight", "desired_state"])
FORECASTS = dg.AssetKey(["insight", "forecasts"])
BUDGET_FORECASTS = dg.AssetKey(["insight", "budget_forecasts"])
FINDINGS = dg.AssetKey(["insight", "findings"])
MODELS = dg.AssetKey(["insight", "models"])
_ENGINES = [
    FORECASTS, BUDGET_FORECASTS, INCIDENTS, VIOLATIONS, FINDINGS, MODELS, TELEMETRY_ANOMALIES,
]  # fmt: skip
REPORTED = [*_ENGINES, CARDS]
_UPSTREAM = [
    dg.AssetKey(["publication", clock.name])
    for clock in (line.BILLING, line.SIGNALS, line.ALLOCATION)
]


def build_insight(clocks: Clocks) -> list[dg.AssetsDefinition]:
    """The assets of stage insight, all on the daily clock."""
    common: dict[str, Any] = {
        "group_name": "insight",
        "owners": OWNERS,
        "partitions_def": clocks.days,
        "tags": {CLOCK_TAG: DECIDE_JOB},
    }

    @dg.asset(
        key=PUBLICATION,
        description="The publication this day is decided on: the last one known when its decision "
        "was due, or one rebuilt from the deliveries known then.",
        deps=_UPSTREAM,
        kinds={"parquet"},
        pool=WAREHOUSE_POOL,
        **common,
    )
    def publication(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        as_of, _ = window(context)
        document = rebuild.choose(estate, as_of).document()
        estate.day(as_of).write_document("publication", document)
        return dg.MaterializeResult(metadata=document)

    @dg.asset(
        key=DESIRED_STATE,
        description="What the GitOps repository declares at one commit, and where each value "
        "lives.",
        kinds={"git"},
        **common,
    )
    def desired_state(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        as_of, _ = window(context)
        day = estate.day(as_of)
        index = estate.index(as_of)
        day.drop_frames(*DECLARED)
        if index is None:
            day.write_document("desired_state", {"commit": None})
            return dg.MaterializeResult(metadata={"reason": "no desired state in the settings"})
        locations = list(index.locations())
        day.write_document("desired_state", {"commit": index.commit})
        declared = index.resources().values()
        for name, rows in zip(
            DECLARED, (resource_rows(declared), identifier_rows(declared)), strict=True
        ):
            day.write_frame(name, rows)
        return dg.MaterializeResult(
            metadata={
                "commit": index.commit,
                "resources": len(index.resources()),
                "dagster/row_count": len(locations),
                "editable": sum(location.editable for location in locations),
            }
        )

    @dg.asset(
        key=FORECASTS,
        description="Cost per team, service and in total for the next 30 days, with 80 and 95 % "
        "intervals, seasonal naive in the same backtest, and SHAP contributions. Known events are "
        "in it, and teams and services sum to the total.",
        deps=[PUBLICATION],
        kinds={"xgboost"},
        **common,
    )
    def forecasts(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        from finops_dagster.defs.insight.explained import write_costs
        from finops_dagster.defs.insight.forecasted import MODEL_FILE, forecasts_page
        from finops_dagster.defs.insight.models import engines
        from finops_dagster.defs.insight.models.cards import FORECASTER
        from finops_dagster.defs.insight.outlook import FORECAST_DAYS, cost_outlook
        from finops_dagster.defs.insight.pictures import backtest_table, spend_plots
        from finops_dagster.engines.forecasting import FRAME_COLUMNS, model_inputs
        from finops_dagster.report.forecasts import write_forecasts

        as_of, _ = window(context)
        day = estate.day(as_of)
        day.drop_frames(*_FORECAST_FRAMES)
        reader = rebuild.reader(estate, as_of)
        history = facts.cost_history(reader, as_of)
        if history is None or history.empty:
            return _nothing(day, "forecasts", "daily cost", "no usage charges are published")
        oldest = as_of - timedelta(days=estate.settings.limits.publication_age_days)
        history = facts.billed_in_full(history, facts.billed_until(reader, as_of), oldest)
        series = facts.series(history)
        day.write_frame("cost_series", series)
        newest = series["ds"].max().date()
        if newest < oldest:
            reason = f"the newest cost is of {newest}: the days to come would be days gone by"
            return _nothing(day, "forecasts", "daily cost", reason)
        events = estate.settings.known_events
        used = engines.in_use(estate, as_of, series)
        with TrainingMeter(FORECASTER, estate.settings.ai.country) as meter:
            told = cost_outlook(
                history, series, events, FORECAST_DAYS, as_of,
                recipe=used.recipe, artefact=used.artefact,
            )  # fmt: skip
            result = told.result
            engine = engines.keep(estate, as_of, used, result, series)
        day.write_frame("forecasts", result.frame)
        day.write_frame("forecast_contributions", result.contributions)
        day.write_frame("forecast_backtest", result.backtest)
        day.write_frame("forecast_rungs", result.rungs)
        if len(result.origins):
            day.write_frame("forecast_origins", result.origins)
        day.write_document("forecast_record", told.record)
        for number, model in enumerate(result.models):
            day.write_bytes(MODEL_FILE.format(number), model)
        inputs = model_inputs(series[["unique_id", "ds", "y"]])
        # a day that uses an artefact as it is trains nothing
        trained = [meter.result] if used.trains or used.artefact is None else []
        abstained = [*result.abstained, *keep_training(day, trained)]
        if isinstance(inputs, Abstained):
            abstained.append(inputs)
        else:
            day.write_frame("forecast_inputs_reference", inputs[0])
            day.write_frame("forecast_inputs_current", inputs[1])
        day.write_items("forecasts_abstained", abstained)
        folder = estate.report_folder(as_of)
        shown = forecasts_page(
            day, estate.settings.estate, as_of, abstained, write_costs(day, folder)
        )
        page = write_forecasts(shown, folder)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(result.frame),
                "dagster/column_schema": frame_schema(result.frame, FRAME_COLUMNS),
                "rows_in": len(series),
                "report": day_page(estate, as_of),
                "forecasts": link(estate.layout.root, page),
                **{f"plot_{name}": picture(png) for name, png in spend_plots(shown.series).items()},
                "backtest": frame_table(backtest_table(result.backtest)),
                "engine": dict(engine),
                "short_histories": frame_table(result.rungs.loc[result.rungs["rung"] != "pooled"]),
                "abstained": records_table([one.model_dump() for one in abstained]),
            }
        )

    @dg.asset(
        key=BUDGET_FORECASTS,
        description="What each budget will use until its period ends, at most 30 days ahead, with "
        "80 and 95 % intervals of its days and of their sum: its allocated cost, as budgets count "
        "it.",
        deps=[PUBLICATION],
        kinds={"xgboost"},
        **common,
    )
    def budget_forecasts(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        from finops_dagster.defs.insight.explained import write_budgets
        from finops_dagster.defs.insight.outlook import (
            FORECAST_DAYS,
            LEAST_SERIES,
            budget_outlook,
        )
        from finops_dagster.engines.forecasting import FRAME_COLUMNS

        as_of, _ = window(context)
        day = estate.day(as_of)
        day.drop_frames(*_BUDGET_FRAMES)
        reader = rebuild.reader(estate, as_of)
        used = facts.budget_series(reader, as_of)
        if used is None:
            day.write_items("budget_forecasts_abstained", [])
            reason = "no budget has days left that a bill is to come of"
            return dg.MaterializeResult(metadata={"dagster/row_count": 0, "reason": reason})
        newest = used.series["ds"].max().date()
        scopes = {one.name: one.of for one in estate.allocation.plans([as_of.replace(day=1)])}
        history = facts.cost_history(reader, as_of)
        result = budget_outlook(
            used,
            facts.large_series(history, LEAST_SERIES - used.series["unique_id"].nunique()),
            facts.budget_makeup(reader, scopes, newest),
            estate.settings.known_events,
            min((used.end - newest).days, FORECAST_DAYS),
            as_of,
        )
        day.write_frame("budget_forecasts", result.frame)
        day.write_frame("budget_forecast_contributions", result.contributions)
        day.write_frame("budget_forecast_backtest", result.backtest)
        day.write_frame("budget_forecast_rungs", result.rungs)
        day.write_frame("budget_sums", result.sums)
        day.write_document("budget_forecast_record", result.record)
        day.write_items("budget_forecasts_abstained", result.abstained)
        write_budgets(day, estate.report_folder(as_of))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(result.frame),
                "dagster/column_schema": frame_schema(result.frame, FRAME_COLUMNS),
                "rows_in": len(used.series),
                "report": day_page(estate, as_of),
                "abstained": records_table([one.model_dump() for one in result.abstained]),
            }
        )

    incidents = build_incidents(clocks, {"deps": [PUBLICATION], **common})

    @dg.asset(
        key=FINDINGS,
        description="Waste and shortage in what runs, priced at the rate really paid, and what is "
        "worth committing to of the rest.",
        deps=[PUBLICATION, DESIRED_STATE, RESOURCES, VIOLATIONS, FORECASTS, MODELS],
        kinds={"python"},
        **common,
    )
    def findings(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        from finops_dagster.defs.insight.waste.finders import find_waste

        as_of, _ = window(context)
        day = estate.day(as_of)
        result = find_waste(estate, rebuild.reader(estate, as_of), as_of)
        day.write_items("findings", result.findings)
        day.write_items("findings_abstained", result.abstained)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(result.findings),
                "report": day_page(estate, as_of),
                "findings": records_table(
                    [
                        {
                            "kind": one.kind.value,
                            "resource": one.resource,
                            "reason": one.reason,
                            "owner": one.owner,
                        }
                        for one in result.findings
                    ]
                ),
                "abstained": records_table([one.model_dump() for one in result.abstained]),
            }
        )

    @dg.asset(
        key=MODELS,
        description="Drift, fairness and gate of every monitored model and of our own forecaster.",
        deps=[PUBLICATION, DESIRED_STATE, FORECASTS, BUDGET_FORECASTS],
        kinds={"evidently"},
        check_specs=[
            dg.AssetCheckSpec(
                MODEL_GATE,
                asset=MODELS,
                partitions_def=clocks.days,
                description="Every model passes its gate. One that does not stops no line.",
            )
        ],
        **common,
    )
    def models(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> Iterator[Any]:
        from finops_dagster.defs.insight.models.judging import judge_models
        from finops_dagster.defs.insight.models.registering import write_ai_pages

        as_of, _ = window(context)
        day = estate.day(as_of)
        health = judge_models(estate, rebuild.reader(estate, as_of), as_of)
        day.write_items("gates", health.gates)
        day.write_items("models_abstained", health.abstained)
        day.write_document("models", health.rows)
        folder = estate.report_folder(as_of)
        day.write_document(
            "model_pages",
            {name: page.relative_to(folder).as_posix() for name, page in health.pages.items()},
        )
        register = write_ai_pages(estate, as_of)
        gates = records_table(
            [
                {"gate": one.gate, "result": one.result, "reasons": "; ".join(one.reasons)}
                for one in health.gates
            ]
        )
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(health.gates),
                "gates": gates,
                "register": link(estate.layout.root, register),
                "abstained": records_table([one.model_dump() for one in health.abstained]),
                **{name: link(estate.layout.root, page) for name, page in health.pages.items()},
            }
        )
        failed = [one.gate for one in health.gates if one.result == "fail"]
        result = dg.AssetCheckResult(
            asset_key=MODELS,
            check_name=MODEL_GATE,
            passed=not failed,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"fails: {', '.join(failed)}" if failed else "none fails",
            metadata={"gates": gates},
        )
        yield from each_partition(context, result)

    made = [publication, desired_state, forecasts, budget_forecasts, findings, models]
    violations = build_violations([PUBLICATION, DESIRED_STATE, RESOURCES], common)
    return [
        *made,
        *incidents,
        *violations,
        *build_telemetry(PUBLICATION, common),
        build_cards(_ENGINES, common),
    ]


def _nothing(day: DayStore, name: str, subject: str, reason: str) -> dg.MaterializeResult:
    """An engine had nothing to judge: said as a value, and shown."""
    abstained = Abstained(subject=subject, reason=reason)
    day.write_items(f"{name}_abstained", [abstained])
    day.write_items(name, [])
    return dg.MaterializeResult(metadata={"dagster/row_count": 0, "abstained": reason})
