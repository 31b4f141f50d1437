"""What is expected of the marts of the signals clock, as data. How it is judged is in `audit`.

Ranges are those of the quantity itself (shares in [0, 1], counts at least 0), not of one estate.
"""

from __future__ import annotations

from finops_dagster.quality.checks import Check, Suite, between, names, not_null, one_of

_SIGNALS = "Measurements cannot be below zero: look at the exporter and at counter resets."

MEASUREMENTS = Suite(
    table="fct_workload_measurements",
    partition="day",
    grain=("cluster", "resource", "container", "time"),
    columns=names(
        "day time interval_seconds resource cluster namespace kind name "
        "container cpu_cores cpu_request_cores gpu_requests memory_working_set_bytes "
        "memory_request_bytes memory_limit_bytes replicas "
        "gpu_utilisation_percent gpu_power_watts cpu_power_watts memory_power_watts "
        "network_receive_bytes_per_second volume_used_bytes "
        "volume_capacity_bytes cpu_limit_cores cpu_periods_per_second "
        "cpu_throttled_periods_per_second network_transmit_bytes_per_second "
        "restarts_per_second oom_kills_per_second cpu_cores_replica_max "
        "cpu_cores_replica_p95 memory_replica_max_bytes memory_replica_p95_bytes "
        "gpus_measured replicas_measured gpu_memory_used_mib gpu_memory_free_mib "
        "gpu_utilisation_device_p95_percent gpu_memory_device_max_mib"
    ),
    checks=(
        *not_null("day", "time", "resource", "cluster", "interval_seconds"),
        *between("interval_seconds", low=1),
        *between(
            "cpu_cores",
            "cpu_request_cores",
            "gpu_requests",
            "memory_working_set_bytes",
            "memory_request_bytes",
            "memory_limit_bytes",
            "replicas",
            "gpu_power_watts",
            "cpu_power_watts",
            "memory_power_watts",
            "network_receive_bytes_per_second",
            "volume_used_bytes",
            "volume_capacity_bytes",
            "cpu_limit_cores",
            "cpu_cores_replica_max",
            "memory_replica_max_bytes",
            "gpu_memory_used_mib",
            "gpu_memory_free_mib",
            "gpu_memory_device_max_mib",
            high=1e18,
            hint=_SIGNALS,
        ),
        *between("gpu_utilisation_percent", "gpu_utilisation_device_p95_percent", high=100),
    ),
)

COVERAGE = Suite(
    table="fct_measurement_coverage",
    partition="day",
    grain=("day", "source", "cluster", "namespace", "metric"),
    columns=names(
        "day source cluster namespace metric reason series expected_seconds "
        "measured_seconds silent_seconds coverage"
    ),
    checks=(
        *not_null("day", "source", "cluster", "metric", "coverage", "reason"),
        *between("coverage", high=1),
    ),
)

UTILISATION = Suite(
    table="fct_workload_utilisation_daily",
    partition="day",
    grain=("day", "cluster", "resource", "container"),
    columns=names(
        "day resource cluster namespace container samples coverage "
        "cpu_cores_mean cpu_cores_p50 cpu_cores_p95 cpu_cores_p99 cpu_cores_max "
        "cpu_request_cores memory_bytes_mean memory_bytes_max "
        "memory_request_bytes gpu_utilisation_percent_mean "
        "gpu_utilisation_percent_max cpu_core_hours memory_gib_hours gpu_hours"
    ),
    checks=(
        *not_null("day", "resource", "cluster", "samples", "coverage"),
        *between("samples", low=0, hint="A count of samples is never negative."),
        *between("coverage", high=1),
        *between(
            "cpu_cores_mean",
            "cpu_cores_p50",
            "cpu_cores_p95",
            "cpu_cores_p99",
            "cpu_cores_max",
            "cpu_request_cores",
            "memory_bytes_mean",
            "memory_bytes_max",
            "memory_request_bytes",
            high=1e18,
            hint=_SIGNALS,
        ),
        *between("gpu_utilisation_percent_mean", "gpu_utilisation_percent_max", high=100),
        *(
            Check(
                name=f"{high}_not_below_{low}",
                expectation="expect_column_pair_values_a_to_be_greater_than_b",
                kwargs={
                    "column_A": high,
                    "column_B": low,
                    "or_equal": True,
                    "ignore_row_if": "either_value_is_missing",
                },
                hint="A higher quantile lies below a lower one: the aggregate is wrong.",
            )
            for high, low in (
                ("cpu_cores_p95", "cpu_cores_p50"),
                ("cpu_cores_p99", "cpu_cores_p95"),
                ("cpu_cores_max", "cpu_cores_p99"),
            )
        ),
    ),
)

MACHINES = Suite(
    table="fct_machine_measurements",
    partition="day",
    grain=("time", "cluster", "kind", "name"),
    columns=names(
        "day time interval_seconds cluster kind name cpu_cores cpu_percent memory_used_bytes "
        "memory_available_bytes network_receive_bytes_per_second network_transmit_bytes_per_second "
        "disk_read_bytes_per_second disk_written_bytes_per_second connections"
    ),
    checks=(
        *not_null("day", "time", "interval_seconds", "cluster", "kind", "name"),
        *between("interval_seconds", low=1),
        *between(
            "cpu_cores",
            "memory_available_bytes",
            "network_receive_bytes_per_second",
            "network_transmit_bytes_per_second",
            "disk_read_bytes_per_second",
            "disk_written_bytes_per_second",
            "connections",
            high=1e18,
            hint=_SIGNALS,
        ),
    ),
    always_filled=False,
)

CAPACITY = Suite(
    table="fct_cluster_capacity_daily",
    partition="day",
    grain=("day", "cluster"),
    columns=names(
        "day cluster nodes node_hours cpu_core_hours memory_gib_hours gpu_hours "
        "allocatable_cpu_core_hours allocatable_memory_gib_hours allocatable_gpu_hours "
        "cpu_hourly_cost memory_hourly_cost gpu_hourly_cost"
    ),
    checks=(
        *not_null("day", "cluster", "nodes", "node_hours", "cpu_core_hours", "memory_gib_hours"),
        *between(
            "cpu_core_hours",
            "memory_gib_hours",
            "gpu_hours",
            "allocatable_cpu_core_hours",
            "allocatable_memory_gib_hours",
            "allocatable_gpu_hours",
            "cpu_hourly_cost",
            "memory_hourly_cost",
            "gpu_hourly_cost",
            high=1e18,
            hint=_SIGNALS,
        ),
    ),
    always_filled=False,
)

_BASES = ("measured", "estimated", "interpolated", "yearly")

GRID = Suite(
    table="fct_grid_intensity_hourly",
    partition="day",
    grain=("hour", "region", "accounting", "kind"),
    columns=names(
        "day hour region accounting kind basis reason gco2e_per_kwh low_gco2e_per_kwh "
        "high_gco2e_per_kwh"
    ),
    checks=(
        *not_null("day", "hour", "region", "accounting", "kind"),
        one_of("accounting", ("location", "market")),
        one_of("kind", ("average", "marginal")),
        one_of("basis", _BASES),
        *between(
            "gco2e_per_kwh",
            "low_gco2e_per_kwh",
            "high_gco2e_per_kwh",
            high=1e4,
            hint="Grid intensity in gCO2e/kWh; coal alone is about 1000.",
        ),
    ),
)

FUNCTIONS = Suite(
    table="fct_function_measurements",
    partition="day",
    grain=names("time cluster resource"),
    columns=names(
        "day time interval_seconds resource cluster name invocations duration_ms_mean "
        "duration_ms_p95 memory_mb memory_used_mb_max concurrent_executions_max "
        "provisioned_used_max provisioned_utilisation_max spillover_invocations"
    ),
    checks=(
        *not_null("day", "time", "resource", "cluster", "interval_seconds"),
        *between("interval_seconds", low=1),
        *between(
            "invocations",
            "duration_ms_mean",
            "duration_ms_p95",
            "memory_mb",
            "memory_used_mb_max",
            "concurrent_executions_max",
            "provisioned_used_max",
            "provisioned_utilisation_max",
            "spillover_invocations",
            high=1e18,
            hint=_SIGNALS,
        ),
    ),
    always_filled=False,
)

WORKLOAD_LABELS = Suite(
    table="fct_workload_labels_daily",
    partition="day",
    grain=names("day cluster resource label"),
    columns=names("day cluster resource label label_value pod_hours"),
    checks=(
        *not_null("day", "cluster", "resource", "label", "label_value"),
        *between("pod_hours"),
    ),
    always_filled=False,
)

CARBON = Suite(
    table="fct_workload_carbon_daily",
    partition="day",
    grain=("day", "cluster", "resource", "region"),
    columns=names(
        "day resource cluster region energy_kwh energy_low_kwh energy_high_kwh "
        "energy_measured_share location_gco2e location_low_gco2e location_high_gco2e "
        "location_coverage location_basis location_reason market_gco2e market_low_gco2e "
        "market_high_gco2e market_coverage market_basis market_reason embodied_gco2e"
    ),
    checks=(
        *not_null("day", "resource", "energy_kwh"),
        *between(
            "energy_kwh",
            "energy_low_kwh",
            "energy_high_kwh",
            "location_gco2e",
            "location_low_gco2e",
            "location_high_gco2e",
            "market_gco2e",
            "market_low_gco2e",
            "market_high_gco2e",
            high=1e15,
            hint="Energy and emissions are never negative.",
        ),
        *between("energy_measured_share", "location_coverage", "market_coverage", high=1),
        one_of("location_basis", _BASES),
        one_of("market_basis", _BASES),
        *(
            Check(
                name=f"{high}_not_below_{low}",
                expectation="expect_column_pair_values_a_to_be_greater_than_b",
                kwargs={
                    "column_A": high,
                    "column_B": low,
                    "or_equal": True,
                    "ignore_row_if": "either_value_is_missing",
                },
                hint="An end of an uncertainty range lies on the wrong side of its middle.",
            )
            for high, low in (
                ("energy_high_kwh", "energy_kwh"),
                ("energy_kwh", "energy_low_kwh"),
                ("location_high_gco2e", "location_gco2e"),
                ("location_gco2e", "location_low_gco2e"),
                ("market_high_gco2e", "market_gco2e"),
                ("market_gco2e", "market_low_gco2e"),
            )
        ),
    ),
)

PREDICTIONS = Suite(
    table="fct_model_predictions",
    partition="day",
    grain=("model", "prediction_id"),
    columns=names(
        "day time model model_version prediction_id features categories groups prediction "
        "probability latency_ms energy_wh input_tokens output_tokens"
    ),
    checks=(
        *not_null("day", "time", "model", "model_version", "prediction_id"),
        *between("probability", high=1),
        *between("latency_ms", "energy_wh", "input_tokens", "output_tokens", high=1e12),
    ),
)

LABELS = Suite(
    table="fct_model_labels",
    partition="day",
    grain=("model", "prediction_id", "time"),
    columns=names("day time model prediction_id label"),
    checks=not_null("day", "time", "model", "prediction_id", "label"),
)

MODEL_METRICS = Suite(
    table="fct_model_metrics_daily",
    partition="day",
    grain=("day", "model", "model_version"),
    columns=names(
        "day model model_version predictions prediction_mean probability_mean "
        "latency_ms_p95 energy_wh input_tokens output_tokens"
    ),
    checks=(
        *not_null("day", "model", "model_version", "predictions"),
        *between("predictions", low=1),
        *between("probability_mean", high=1),
        *between("latency_ms_p95", "energy_wh", "input_tokens", "output_tokens", high=1e12),
    ),
)

BUSINESS_METRICS = Suite(
    table="fct_business_metrics_daily",
    partition="day",
    grain=names("day source metric business_unit team product environment cost_center"),
    columns=names("day source metric business_unit team product environment cost_center quantity"),
    checks=(
        *not_null("day", "source", "metric", "quantity"),
        *between("quantity", hint="A day cannot have had less than none of it."),
    ),
    always_filled=False,
)
