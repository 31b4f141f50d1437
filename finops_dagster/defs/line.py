"""The line from delivery to publication, as plain steps that a run and a rebuild share.

No assets: the ingest assets call one step each; a rebuild of a past day calls them all in turn.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from finops_dagster.defs import joined
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.warehouse.parsed import given_by_file
from finops_dagster.defs.warehouse.project import dbt_executable
from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.domain.deliveries import Delivery, Landed
from finops_dagster.domain.errors import Fault, FinopsError, Stopped
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import known_by, months
from finops_dagster.domain.violations import StandingViolation
from finops_dagster.quality import (
    AuditContext,
    AuditResult,
    LandingLimits,
    judge_candidates,
    judge_landing,
)
from finops_dagster.storage.exports import write_exports
from finops_dagster.storage.lake import in_force
from finops_dagster.storage.publication import PublicationStore, Version

_ROWS_TOLD = 20
"""Of the rows set aside in a refused delivery: the quarantine holds them all."""
_FILES_TOLD = 3


@dataclass(frozen=True)
class Clock:
    """One of the two clocks, or what is joined of them: what lands, which marts are built."""

    name: str
    tables: tuple[str, ...]
    marts: tuple[str, ...]
    partition_column: str

    @property
    def monthly(self) -> bool:
        """Whether its partitions are billing months; else days."""
        return self.partition_column == "billing_period"


BILLING = Clock(
    name="billing",
    tables=("charges",),
    marts=(
        "fct_costs_daily",
        "dim_tag_sets",
        "dim_services",
        "dim_regions",
        "dim_skus",
        "fct_commitments_daily",
        "fct_commitment_coverage_daily",
        "fct_committable_usage_hourly",
        "fct_tag_coverage_daily",
        "fct_bill_conservation",
        "fct_restatements",
        "fct_costs_converted_daily",
    ),
    partition_column="billing_period",
)
SIGNALS = Clock(
    name="signals",
    tables=(
        "measurements",
        "intensities",
        "predictions",
        "labels",
        "runs",
        "model_versions",
        "token_usage",
        "business_metrics",
    ),
    marts=(
        "fct_workload_measurements",
        "fct_measurement_coverage",
        "fct_workload_utilisation_daily",
        "fct_cluster_capacity_daily",
        "fct_machine_measurements",
        "fct_function_measurements",
        "fct_workload_labels_daily",
        "fct_grid_intensity_hourly",
        "fct_workload_carbon_daily",
        "fct_model_predictions",
        "fct_model_labels",
        "fct_model_metrics_daily",
        "fct_runs",
        "fct_model_versions",
        "fct_token_usage",
        "fct_business_metrics_daily",
    ),
    partition_column="day",
)

ALLOCATION = Clock(
    name="allocation",
    tables=(),
    marts=(
        "fct_allocated_costs_daily",
        "fct_allocation_conservation",
        "fct_cluster_costs_daily",
        "fct_cost_changes_monthly",
        "dim_teams",
        "fct_carbon_conservation",
        "fct_carbon_coverage",
        "fct_unit_costs_daily",
        "fct_unit_carbon_daily",
        "fct_budget_costs_daily",
        "fct_budgets_monthly",
        "fct_chargeback_monthly",
    ),
    partition_column="billing_period",
)
"""What is published of both clocks, joined by billing month."""

OF_DAYS = (
    "fct_run_costs",
    "fct_model_version_costs",
    "fct_run_carbon_daily",
    "fct_gpu_idle_daily",
    "fct_model_serving_costs_daily",
    "fct_token_costs_daily",
    "fct_ai_costs_daily",
    "fct_model_carbon_daily",
)
"""Joined marts of which days before the decided one are built again: bills come late."""
RESOURCES = Clock(
    name="resources",
    tables=(),
    marts=(
        "fct_resource_matches",
        "fct_workload_matches",
        "fct_unowned_costs",
        "fct_undeclared_resources",
        "fct_unseen_declarations",
        *OF_DAYS,
    ),
    partition_column="day",
)
"""No clock of its own: what was published of both, joined for the day that is decided."""

LEDGER = Clock(name="ledger", tables=(), marts=("fct_policy_violations",), partition_column="day")
"""No clock of its own: what the ledger tells people, published apart from what decides."""

_WORDS = {
    BILLING.name: ("tag_keys", "convert_to", "rate_days"),
    ALLOCATION.name: ("grid_factors", "grid_yearly", "tag_keys"),
    RESOURCES.name: ("matching", "model_workloads", "language_models", "idle_below_percent"),
    SIGNALS.name: (
        "clusters",
        "tag_keys",
        "grid_gap_hours",
        "grid_yearly",
        "grid_factors",
        "grid_zones",
    ),
}
"""Those words of the settings that a clock's models use."""


def expected(estate: Estate, clock: Clock, cutoff: datetime) -> list[Delivery]:
    """The deliveries in force at `cutoff`, as the sources have them. Raises Unavailable."""
    found = [
        delivery
        for table in clock.tables
        for source in estate.sources(table)
        for delivery in source.deliveries()
    ]
    return in_force(found, cutoff)


def nothing_known(estate: Estate, clock: Clock) -> Stopped:
    """Why there is nothing to publish: no delivery came, or none by the day decided for."""
    as_of = estate.settings.decided_day()
    cutoff = estate.cutoff(as_of)
    sources = [source for table in clock.tables for source in estate.sources(table)]
    later = [one.known_at for source in sources for one in source.deliveries()]
    came = f"the first was known at {min(later).isoformat()}" if later else "none has come"
    where = ", ".join(source.where for source in sources)
    hint = "Decide for a later day." if later else "Put an export there (Parquet or CSV)."
    wanted = f"A delivery known by {cutoff.isoformat()}, when {as_of} is decided; {came}."
    return Stopped(
        f"Nothing was delivered to {where}: {wanted} {hint}",
        (Fault(code="no_delivery", file=where, expected=wanted, hint=hint),),
    )


def inputs_by_partition(deliveries: Iterable[Delivery]) -> dict[date, list[str]]:
    """Delivery ids by partition."""
    inputs: dict[date, list[str]] = {}
    for delivery in deliveries:
        inputs.setdefault(delivery.partition, []).append(delivery.delivery_id)
    return inputs


def wanted(estate: Estate, clock: Clock, cutoff: datetime) -> dict[date, list[str]]:
    """What a clock's partitions are to be built from: ids, by partition. Raises Unavailable."""
    if clock is ALLOCATION:
        return joined.inputs(estate)
    return inputs_by_partition(expected(estate, clock, cutoff))


def published_inputs(estate: Estate, clock: Clock) -> dict[date, set[str]]:
    """Ids of the deliveries that the publication in force was built from, by partition."""
    manifest = estate.publications.current()
    published: dict[date, set[str]] = {}
    for version in manifest.versions if manifest else ():
        if version.mart in clock.marts:
            published.setdefault(version.partition, set()).update(version.inputs)
    return published


def ask(estate: Estate, clock: Clock, first: date, last: date) -> None:
    """Have the APIs among a clock's sources asked. Raises Unavailable, SettingsError."""
    for table in clock.tables:
        estate.ask(table, first, last)


def pending(estate: Estate, clock: Clock, cutoff: datetime) -> list[date]:
    """Partitions whose deliveries in force are not what the publication in force was built from.

    Or that were built by another recipe. The answer depends only on sources, settings, models and
    manifest, so a killed run is picked up where it was.
    """
    published = published_inputs(estate, clock)
    manifest = estate.publications.current()
    recipes: dict[date, set[str]] = {}
    for version in manifest.versions if manifest else ():
        if version.mart in clock.marts:
            recipes.setdefault(version.partition, set()).add(version.recipe)
    return sorted(
        day
        for day, ids in wanted(estate, clock, cutoff).items()
        if set(ids) != published.get(day) or recipes[day] != {recipe(estate, clock, day, cutoff)}
    )


def recipe(estate: Estate, clock: Clock, partition: date, cutoff: datetime) -> str:
    """What besides deliveries decides the rows of a clock's marts: models, settings, rates.

    Where it changes, what was built by another is built again.
    """
    said = {key: value for key, value in dbt_words(estate).items() if key in _WORDS[clock.name]}
    if clock is ALLOCATION:
        said["allocation"] = joined.deciding(estate, partition)
    rates = (
        estate.rates.of_period(partition, estate.settings.currencies.rate_days, cutoff)
        if clock is BILLING
        else ()
    )
    return content_id("recipe", {"models": estate.models, "words": said, "rates": rates})


def looked_at(estate: Estate, clock: Clock, partition: date) -> bool:
    """Whether what is published of a partition was looked at since the decided day was due."""
    manifest = estate.publications.current()
    if manifest is None:
        return False
    due = known_by(estate.settings.decided_day(), estate.settings.decide_at)
    versions = [v for mart in clock.marts for v in manifest.of(mart, partition, partition)]
    return bool(versions) and all(version.known_at >= due for version in versions)


def land(estate: Estate, delivery: Delivery) -> Landed:
    """Read one delivery to its end, unless it was accepted before; returns what became of it.

    A refused one is read again: limits in the settings may have changed since. So is one whose
    rows were removed since, and one that is back after another took its place: it came anew.
    """
    held = estate.lake.record(delivery)
    if held is not None and not held.set_faults and not _came_anew(estate, held, delivery):
        estate.lake.total(delivery)
        return held
    with estate.read(delivery) as reading:
        estate.lake.write(delivery, reading.rows, reading.quarantine)
        landed = reading.landed
    estate.lake.seal(landed)
    return landed


def _came_anew(estate: Estate, held: Landed, delivery: Delivery) -> bool:
    if not estate.lake.rows_file(delivery).exists():
        return True
    since, until = held.delivery.known_at, delivery.known_at
    return since < until and any(
        since < other.delivery.known_at <= until and not other.set_faults
        for other in estate.lake.records_beside(delivery)
    )


def land_window(
    estate: Estate, table: str, first: date, last: date, cutoff: datetime
) -> list[Landed]:
    """Land what is in force at `cutoff` for the partitions [first, last] of a table."""
    found = [delivery for source in estate.sources(table) for delivery in source.deliveries()]
    return [
        land(estate, delivery)
        for delivery in in_force(found, cutoff)
        if first <= delivery.partition <= last
    ]


def judge_landed(estate: Estate, table: str, results: Sequence[Landed]) -> AuditResult:
    """Great Expectations over what landed, and the faults of whole deliveries."""
    files = [estate.lake.rows_file(one.delivery) for one in results if not one.set_faults]
    limits = estate.settings.limits
    audit = judge_landing(
        table,
        files,
        results,
        LandingLimits(
            quarantined_cost_share=limits.quarantined_cost_share,
            quarantined_row_share=limits.quarantined_row_share,
            invoice_tolerance=limits.invoice_tolerance,
        ),
    )
    if results:
        return audit
    reason = "no delivery came" if estate.sources(table) else "no source of it is in the settings"
    return replace(audit, outcomes=(), abstained=(Abstained(subject=table, reason=reason),))


def dbt_vars(
    estate: Estate, cutoff: datetime, first: date, last: date, clock: Clock | None
) -> dict[str, Any]:
    """Variables of a dbt build over the partitions [first, last] of a clock."""
    window: dict[str, Any] = {}
    if clock is not None:
        names = ("first_period", "last_period") if clock.monthly else ("first_day", "last_day")
        window = {names[0]: first.isoformat(), names[1]: last.isoformat()}
    if clock is ALLOCATION:
        plans = estate.allocation.plans(months(first, last))
        window["allocation"] = joined.words(estate.allocation, plans)
    return {
        "landing_root": str(estate.layout.landing),
        "ledger_root": str(estate.layout.ledger),
        "cutoff": cutoff.isoformat(),
        **dbt_words(estate),
        **window,
    }


def dbt_words(estate: Estate) -> dict[str, Any]:
    """What settings say to the models of both clocks."""
    tags, grid = estate.settings.tags.model_dump(), estate.settings.grid
    return {
        "tag_keys": {key: list(value) for key, value in tags.items()},
        "clusters": estate.settings.clusters,
        "convert_to": list(estate.settings.currencies.convert_to),
        "rate_days": estate.settings.currencies.rate_days,
        "matching": estate.settings.matching.model_dump(mode="json"),
        "model_workloads": {one.name: one.workload for one in estate.settings.models},
        "language_models": [one.model_dump(mode="json") for one in estate.settings.language_models],
        "idle_below_percent": estate.settings.gpus.idle_below_percent,
        "grid_gap_hours": grid.gap_hours,
        "grid_yearly": grid.yearly,
        "grid_factors": grid.factors,
        "grid_zones": grid.zones,
    }


def dbt_arguments(clock: str, variables: Mapping[str, Any], target: Path) -> list[str]:
    """Arguments of `dbt build` for one clock, or for the ledger; variables are kept in `target`."""
    kept = target / "variables.json"
    target.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(variables, sort_keys=True), encoding="utf-8")
    return [*dbt_selection(clock), "--vars", given_by_file(kept, variables)]


def dbt_selection(clock: str) -> list[str]:
    """What `dbt build` takes for a clock; unit tests of models run in the project's checks.

    What is shipped and read by the clock is built with it; its tests run with the clock it is of.
    """
    own = f"tag:{clock}"
    shipped = (
        *("--select", f"tag:shipped,+{own}"),
        *("--exclude", "resource_type:test,tag:shipped+1"),
    )
    return [
        *("build", "--select", own),
        *(() if clock == SIGNALS.name else shipped),
        *("--exclude-resource-type", "unit_test"),
    ]


def rebuild_warehouse(estate: Estate, warehouse: Path, clocks: Mapping[Clock, Any]) -> None:
    """Build a warehouse of its own for a past day. Raises FinopsError with dbt's last lines."""
    estate.lake.write_rates(estate.rates)
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    target = warehouse.parent / "dbt"
    for clock, variables in clocks.items():
        done = subprocess.run(
            [
                dbt_executable(),
                *dbt_arguments(clock.name, variables, target),
                "--target-path",
                str(target),
            ],
            cwd=estate.dbt_project,
            env=estate.dbt_environment(warehouse),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise FinopsError("dbt failed:\n" + "\n".join(done.stdout.splitlines()[-20:]))


def built_inputs(
    estate: Estate, clock: Clock, first: date, last: date, cutoff: datetime
) -> dict[date, list[str]]:
    """Accepted deliveries in force at `cutoff`, by partition in [first, last].

    The same choice that staging makes: what the warehouse was built from.
    """
    if clock is ALLOCATION:
        ids = joined.inputs(estate)
        return {month: given for month, given in ids.items() if first <= month <= last}
    accepted = [
        one.delivery
        for table in clock.tables
        for one in estate.lake.records(table)
        if not one.set_faults
    ]
    return {
        partition: ids
        for partition, ids in inputs_by_partition(in_force(accepted, cutoff)).items()
        if first <= partition <= last
    }


def export_candidates(
    store: PublicationStore,
    warehouse: Path,
    clock: Clock,
    inputs: Mapping[date, Sequence[str]],
    cutoff: datetime,
    only: Mapping[str, Sequence[date]] | None = None,
) -> list[Version]:
    """Candidates of every mart of a clock, for the partitions that have inputs.

    `only`: those of a mart that was not built for all of them.
    """
    partitions = {mart: sorted(inputs) for mart in clock.marts} | dict(only or {})
    return [
        version
        for mart in clock.marts
        for version in store.export(
            warehouse, mart, clock.partition_column, partitions[mart], cutoff, inputs
        )
    ]


def with_recipes(estate: Estate, clock: Clock, versions: Sequence[Version]) -> list[Version]:
    """The versions, each with what it was built by."""
    known_at = {version.partition: version.known_at for version in versions}
    recipes = {day: recipe(estate, clock, day, known) for day, known in known_at.items()}
    return [v.model_copy(update={"recipe": recipes[v.partition]}) for v in versions]


def judge_exported(
    estate: Estate,
    store: PublicationStore,
    clock: Clock,
    versions: Sequence[Version],
    as_of: date,
) -> list[AuditResult]:
    """Great Expectations over every candidate mart of a clock; none where nothing was delivered."""
    if not versions:
        return []
    held = store.current()
    given = {delivery for version in versions for delivery in version.inputs}
    # The clock's first mart has a row for whatever came of its first table. A day of which only
    # the other signals came has none, and is no fault.
    filled = sorted(
        {
            one.delivery.partition
            for table in clock.tables[:1]
            for one in estate.lake.records(table)
            if one.delivery.delivery_id in given
        }
        or {version.partition for version in versions if clock is ALLOCATION}
    )
    paths: dict[str, tuple[Path, ...]] = {
        mart: tuple(store.path(v) for v in versions if v.mart == mart) for mart in clock.marts
    }
    return [
        judge_candidates(
            mart,
            paths[mart],
            AuditContext(
                as_of=as_of,
                max_age_days=estate.settings.limits.publication_age_days,
                partitions=tuple(filled) if mart == clock.marts[0] else (),
                previous_rows={v.partition: v.rows for v in held.of(mart)} if held else {},
                related=paths,
            ),
        )
        for mart in clock.marts
    ]


def refusals(estate: Estate, results: Iterable[Landed]) -> list[Fault]:
    """Why deliveries were refused as a whole, each with the first rows that were set aside.

    Files are named by their whole path; a fault of no one file gets the delivery's files.
    """
    return [
        fault.model_copy(update={"file": _place(estate, one.delivery, fault.file)})
        for one in results
        if one.set_faults
        for fault in (*one.set_faults, *one.row_faults[:_ROWS_TOLD])
    ]


def _place(estate: Estate, delivery: Delivery, file: str | None) -> str:
    files = [str(one.path) for one in delivery.files]
    sources = estate.sources(delivery.table)
    source = next((one for one in sources if one.name == delivery.source), None)
    where = source.where if source else delivery.source
    shown = source.shown if source else str
    if file is not None:
        return shown(file) if file in files else f"{where}: {file}"
    told = ", ".join(shown(name) for name in files[:_FILES_TOLD]) or where
    return told + (f" and {len(files) - _FILES_TOLD} more" if len(files) > _FILES_TOLD else "")


def keep_gates(estate: Estate, stage: str, audits: Sequence[AuditResult]) -> None:
    """Keep what a stage's gates said beside the day, for its report; one gate per table."""
    day = estate.day(estate.settings.decided_day())
    name = f"gates_{stage}"
    kept = {gate.gate: gate for gate in day.items(name, GateResult)}
    for audit in audits:
        reasons = [
            f"{one.name}: {one.observed}. {one.hint}" for one in (*audit.failures, *audit.warnings)
        ]
        if not audit.outcomes:
            # nothing was judged, so nothing passed
            reasons += [one.reason for one in audit.abstained]
        result: Literal["pass", "warn", "fail"] = "pass"
        if audit.failures:
            result = "fail"
        elif audit.warnings or not audit.outcomes:
            result = "warn"
        kept[audit.table] = GateResult(gate=audit.table, result=result, reasons=tuple(reasons))
    day.write_items(name, [kept[table] for table in sorted(kept)])


def export_ledger(estate: Estate, as_of: date) -> None:
    """Write what was decided and opened before `as_of` as Parquet for dbt: one day behind.

    Violations of policy are told with `as_of` itself: they are seen, and decide nothing.
    """
    standing = estate.day(as_of).items("policy_violations", StandingViolation)
    costs = {one.violation.resource: one.cost_per_month for one in standing}
    write_exports(estate.ledger, estate.layout.ledger, as_of, costs)
