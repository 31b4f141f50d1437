"""What a day's publication tells: forecasts, anomalies, findings, the health of AI models.

Each body reads one publication, calls one engine, writes what it said and shows it.
"""

from datetime import timedelta
from decimal import Decimal

import dagster as dg
import pandas as pd

from finops_dagster.defs import rebuild
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import facts
from finops_dagster.defs.jobs import CLOCK_TAG, DECIDE_JOB
from finops_dagster.defs.metadata import link, picture, records_table
from finops_dagster.defs.shared import WAREHOUSE_POOL, Clocks, window
from finops_dagster.domain.decisions import Abstained

FORECAST_DAYS = 30
PUBLICATION = dg.AssetKey(["insight", "publication"])
_UPSTREAM = [dg.AssetKey(["publication", "billing"]), dg.AssetKey(["publication", "signals"])]


def build_insight(clocks: Clocks) -> list[dg.AssetsDefinition]:
    """The assets of stage insight, all on the daily clock."""
    common = {
        "group_name": "insight",
        "partitions_def": clocks.days,
        "tags": {CLOCK_TAG: DECIDE_JOB},
    }

    @dg.asset(
        key=PUBLICATION,
        description="The publication this day is decided on: the last one known when its decision "
        "was due, or one rebuilt from the deliveries known then.",
        deps=_UPSTREAM,
        pool=WAREHOUSE_POOL,
        **common,
    )
    def publication(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        as_of, _ = window(context)
        chosen = rebuild.choose(estate, as_of)
        estate.day(as_of).write_document("publication", chosen.document())
        return dg.MaterializeResult(metadata=chosen.document())

    @dg.asset(
        key=["insight", "forecasts"],
        description="Cost per team, service and in total for the next 30 days, with 80 and 95 % "
        "intervals, seasonal naive in the same backtest, and SHAP contributions.",
        deps=[PUBLICATION],
        kinds={"xgboost"},
        **common,
    )
    def forecasts(
        context: dg.AssetExecutionContext, estate: dg.ResourceParam[Estate]
    ) -> dg.MaterializeResult:
        from finops_dagster.engines.forecasting import forecast

        as_of, _ = window(context)
        day = estate.day(as_of)
        history = facts.cost_history(rebuild.reader(estate, as_of), as_of)
        if history is None or history.empty:
            return _nothing(day, "forecasts", "daily cost", "no usage charges are published")
        series = facts.series(history)
        result = forecast(
            series[["unique_id", "ds", "y"]], horizon=FORECAST_DAYS, frequency="daily"
        )
        day.write_frame("cost_series", series)
        day.write_frame("forecasts", result.frame)
        day.write_frame("forecast_contributions", result.contributions)
        day.write_frame("forecast_backtest", result.backtest)
        day.write_document("forecast_record", result.record)
        day.write_items("forecasts_abstained", result.abstained)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(result.frame),
                "rows_in": len(series),
                "abstained": records_table([a.model_dump() for a in result.abstained]),
                "backtest": records_table(result.backtest.to_dict("records")),
                "record": dg.MetadataValue.json(result.record),
                "plot": picture(plots.forecast(series, result.frame)),
            }
        )

    return [publication, forecasts]
