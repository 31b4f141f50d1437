"""Commitments worth buying: reads usage, what was bought and what is forecast, and asks the engine.

What is worth committing to is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import resources
from finops_dagster.defs.insight.running import SURE
from finops_dagster.domain.decisions import Finding
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.engines.optimisation.commit import Market, find_commitments
from finops_dagster.engines.optimisation.commitments import CommitmentConfig
from finops_dagster.engines.optimisation.committable import HISTORY_DAYS, RECENT_DAYS, Spoken
from finops_dagster.engines.optimisation.offers import Payment
from finops_dagster.engines.optimisation.outlooks import outlooks
from finops_dagster.engines.optimisation.terms import Kind, Terms
from finops_dagster.settings.commitments import OfferSettings
from finops_dagster.storage.publication import PublishedReader


def commitments(
    estate: Estate, reader: PublishedReader, as_of: date, findings: Sequence[Finding]
) -> FindResult:
    """Commitments for what the day's other `findings` leave to be paid for."""
    usage = _usage(reader, as_of)
    if usage is None or usage.empty:
        return FindResult(findings=[], abstained=[])
    told = estate.settings.commitments
    day = estate.day(as_of)
    forecasts, series = day.frame("forecasts"), day.frame("cost_series")
    return find_commitments(
        usage,
        Market(
            terms=[_terms(one) for one in told.offers],
            kinds=_kinds(reader, as_of),
            outlooks=outlooks(forecasts, series)
            if forecasts is not None and series is not None
            else {},
            credited=_credited(reader, as_of),
        ),
        Spoken.of(_costs(estate, reader, as_of, findings), RECENT_DAYS),
        findings,
        as_of,
        min_saving=estate.settings.limits.min_saving_per_month,
        config=CommitmentConfig(
            max_loss_risk=told.max_loss_risk, capital_rate_per_year=told.capital_rate_per_year
        ),
    )


def _terms(one: OfferSettings) -> Terms:
    return Terms(
        scope=" ".join([*(one.services or ("compute",)), *one.regions, *one.families]),
        term_months=one.term_months,
        payment=Payment(one.payment),
        price_share=one.price_share,
        upfront_share=one.upfront,
        provider=one.provider,
        services=one.services,
        regions=one.regions,
        families=one.families,
        bound_to=tuple(bound.value for bound in one.bound_to),
    )


def _usage(reader: PublishedReader, as_of: date) -> pd.DataFrame | None:
    first = as_of - timedelta(days=HISTORY_DAYS - 1)
    return reader.frame(
        "fct_committable_usage_hourly",
        f"""
        select
            used_at, is_hourly, provider_name, billing_account_id, service_category, service_name,
            region_id, instance_family, kind, commitment_discount_id, billing_currency,
            sum(effective_cost)::double as effective_cost,
            sum(on_demand_cost)::double as on_demand_cost
        from mart
        where kind in ('on_demand', 'committed', 'unused')
          and used_at::date between date '{first.isoformat()}' and date '{as_of.isoformat()}'
        group by all order by all
        """,
        first=first.replace(day=1),
    )


def _kinds(reader: PublishedReader, as_of: date) -> dict[str, Kind]:
    rows = reader.records(
        "fct_commitments_daily",
        f"""
        select
            commitment_discount_id as id,
            coalesce(
                max(commitment_discount_type), max(commitment_discount_name), ''
            ) as type,
            bool_or(coalesce(commitment_discount_category, '') = 'Spend') as spend,
            arg_max(term_ends, charge_date) as ends,
            round(
                (arg_max(term_ends, charge_date) - max(charge_date) filter (term_ends is not null))
                * 12 / 365.0
            )::integer as months
        from mart where charge_date <= date '{as_of.isoformat()}'
        group by all order by all
        """,
    )
    # a purchase billed by the month or the hour has no term of its own
    return {
        row["id"]: Kind(
            row["type"],
            row["spend"],
            *((row["ends"], row["months"]) if (row["months"] or 0) >= 6 else (None, None)),
        )
        for row in rows
    }


def _credited(reader: PublishedReader, as_of: date) -> dict[tuple[str, str, str], float]:
    first = as_of - timedelta(days=RECENT_DAYS - 1)
    rows = reader.records(
        "fct_costs_daily",
        f"""
        select
            coalesce(provider_name, '') as provider,
            coalesce(billing_account_id, '') as account,
            coalesce(billing_currency, '') as currency,
            -sum(effective_cost) filter (charge_category = 'Credit')::double
            / nullif(sum(effective_cost) filter (charge_category = 'Usage'), 0)::double as share
        from mart
        where charge_date between date '{first.isoformat()}' and date '{as_of.isoformat()}'
        group by all order by all
        """,
        first=first.replace(day=1),
    )
    return {
        (row["provider"], row["account"], row["currency"]): row["share"]
        for row in rows
        if row["share"]
    }


def _costs(
    estate: Estate, reader: PublishedReader, as_of: date, findings: Sequence[Finding]
) -> pd.DataFrame:
    """Costs of `RECENT_DAYS` of the resources that findings speak of, by place."""
    named = {one.resource for one in findings}
    declared = _declared(estate, as_of, named)
    accounted = {tuple(name.split("/", 2)[1:]): name for name in named}
    ids = {*declared, *(key[-1] for key in accounted)}
    first = as_of - timedelta(days=RECENT_DAYS - 1)
    found = reader.frame(
        "fct_costs_daily",
        f"""
        select
            source, billing_period, coalesce(resource, '') as workload,
            replace(coalesce(resource_id, ''), '/', ':') as id,
            coalesce(sub_account_id, '') as sub_account_id, sku_id, sku_meter, consumed_unit,
            provider_name, billing_account_id, service_category, service_name, region_id,
            billing_currency, sum(effective_cost)::double as effective_cost,
            sum(coalesce(nullif(contracted_cost, 0), effective_cost))::double as on_demand_cost
        from mart
        where charge_category = 'Usage' and coalesce(commitment_discount_status, '') <> 'Unused'
          and charge_date between date '{first.isoformat()}' and date '{as_of.isoformat()}'
          and (list_contains($named::varchar[], resource)
               or (resource is null
                   and list_contains($ids::varchar[], replace(resource_id, '/', ':'))))
        group by all order by all
        """,
        first=first.replace(day=1),
        given={"named": sorted(named), "ids": sorted(ids)},
    )
    families = reader.frame(
        "dim_skus",
        "select source, billing_period, provider_name, service_category, service_name, sku_id, "
        "sku_meter, consumed_unit, instance_family from mart where instance_family is not null",
        first=first.replace(day=1),
        last=as_of,
    )
    if found is None:
        columns = ["resource", "provider_name", "billing_account_id", "service_category",
                   "service_name", "region_id", "instance_family", "billing_currency",
                   "effective_cost", "on_demand_cost"]  # fmt: skip
        return pd.DataFrame(columns=columns)
    columns = ["workload", "id", "sub_account_id", "billing_account_id"]
    found["resource"] = [
        workload
        or accounted.get((sub_account, name))
        or accounted.get((account, name))
        or declared.get(name)
        for workload, name, sub_account, account in found[columns].itertuples(
            index=False, name=None
        )
    ]
    found = found.loc[found["resource"].notna()]
    if families is None:
        return found.assign(instance_family=None)
    return found.merge(families, how="left")


def _declared(estate: Estate, as_of: date, named: set[str]) -> dict[str, str]:
    """Resource id with `:` for `/` -> the declaration that findings call it by."""
    joined = resources.reader(estate, as_of)
    if joined is None:
        return {}
    rows = joined.records(
        "fct_resource_matches",
        f"""
        select distinct replace(resource_id, '/', ':') as id, declared_resource as name from mart
        where declared_resource is not null and resource_id is not null and confidence >= {SURE}
        """,
        first=as_of,
        last=as_of,
    )
    return {row["id"]: row["name"] for row in rows if row["name"] in named}
