"""Every table that crosses a boundary, as plain data: name, columns, grain, unit, privacy.

storage turns these into Arrow, Parquet and DDL; nothing is declared twice.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class LogicalType(StrEnum):
    """What a column holds, independent of any engine."""

    STRING = "string"
    MONEY = "money"
    """DECIMAL(38,20), parsed from text."""
    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"
    """Instant, UTC, microseconds."""
    DATE = "date"
    STRING_MAP = "string_map"
    FLOAT_MAP = "float_map"


class Column(BaseModel):
    """One column: its name, type, unit and whether it may be empty or holds personal data."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: LogicalType
    description: str
    unit: str | None = None
    nullable: bool = True
    personal: bool = False


class TableSchema(BaseModel):
    """A table's columns, the column it is partitioned by and what one row is."""

    model_config = ConfigDict(frozen=True)

    name: str
    grain: str
    partition: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


_S, _M, _F, _I = LogicalType.STRING, LogicalType.MONEY, LogicalType.FLOAT, LogicalType.INTEGER
_T, _SM, _FM = LogicalType.TIME, LogicalType.STRING_MAP, LogicalType.FLOAT_MAP


def _c(
    name: str,
    type_: LogicalType,
    description: str,
    *,
    unit: str | None = None,
    required: bool = False,
    personal: bool = False,
) -> Column:
    return Column(
        name=name,
        type=type_,
        description=description,
        unit=unit,
        nullable=not required,
        personal=personal,
    )


_PROVENANCE = (
    _c("source", _S, "Name of the source in finops.yaml", required=True),
    _c("delivery_id", _S, "Delivery that brought the row", required=True),
    _c("known_at", _T, "When the delivery became known", required=True),
)

FOCUS_COLUMNS: tuple[Column, ...] = (
    _c("allocated_method_details", _S, "FOCUS AllocatedMethodDetails (1.3), JSON text"),
    _c("allocated_method_id", _S, "FOCUS AllocatedMethodId (1.3)"),
    _c("allocated_resource_id", _S, "FOCUS AllocatedResourceId (1.3)"),
    _c("allocated_resource_name", _S, "FOCUS AllocatedResourceName (1.3)"),
    _c("allocated_tags", _SM, "FOCUS AllocatedTags (1.3)"),
    _c("availability_zone", _S, "FOCUS AvailabilityZone"),
    _c("billed_cost", _M, "FOCUS BilledCost", unit="billing_currency", required=True),
    _c("billing_account_id", _S, "FOCUS BillingAccountId", required=True),
    _c("billing_account_name", _S, "FOCUS BillingAccountName"),
    _c("billing_account_type", _S, "FOCUS BillingAccountType (1.2)"),
    _c("billing_currency", _S, "FOCUS BillingCurrency", required=True),
    _c("billing_period_start", _T, "FOCUS BillingPeriodStart, inclusive", required=True),
    _c("billing_period_end", _T, "FOCUS BillingPeriodEnd, exclusive", required=True),
    _c("capacity_reservation_id", _S, "FOCUS CapacityReservationId"),
    _c("capacity_reservation_status", _S, "FOCUS CapacityReservationStatus"),
    _c("charge_category", _S, "FOCUS ChargeCategory", required=True),
    _c("charge_class", _S, "FOCUS ChargeClass: empty or Correction"),
    _c("charge_description", _S, "FOCUS ChargeDescription"),
    _c("charge_frequency", _S, "FOCUS ChargeFrequency"),
    _c("charge_period_start", _T, "FOCUS ChargePeriodStart, inclusive", required=True),
    _c("charge_period_end", _T, "FOCUS ChargePeriodEnd, exclusive", required=True),
    _c("commitment_discount_category", _S, "FOCUS CommitmentDiscountCategory"),
    _c("commitment_discount_id", _S, "FOCUS CommitmentDiscountId"),
    _c("commitment_discount_name", _S, "FOCUS CommitmentDiscountName"),
    _c("commitment_discount_quantity", _M, "FOCUS CommitmentDiscountQuantity"),
    _c("commitment_discount_status", _S, "FOCUS CommitmentDiscountStatus: Used or Unused"),
    _c("commitment_discount_type", _S, "FOCUS CommitmentDiscountType"),
    _c("commitment_discount_unit", _S, "FOCUS CommitmentDiscountUnit"),
    _c(
        "commitment_program_eligibility_details",
        _S,
        "FOCUS CommitmentProgramEligibilityDetails (1.4), JSON text",
    ),
    _c("consumed_quantity", _M, "FOCUS ConsumedQuantity", unit="consumed_unit"),
    _c("consumed_unit", _S, "FOCUS ConsumedUnit"),
    _c("contract_applied", _S, "FOCUS ContractApplied (1.3), JSON text with the keys of 1.4"),
    _c("contracted_cost", _M, "FOCUS ContractedCost", unit="billing_currency"),
    _c("contracted_unit_price", _M, "FOCUS ContractedUnitPrice", unit="billing_currency"),
    _c("effective_cost", _M, "FOCUS EffectiveCost", unit="billing_currency", required=True),
    _c("host_provider_name", _S, "FOCUS HostProviderName (1.3)"),
    _c("invoice_detail_id", _S, "FOCUS InvoiceDetailId (1.4)"),
    _c("invoice_id", _S, "FOCUS InvoiceId (1.2)"),
    _c("invoice_issuer_name", _S, "FOCUS InvoiceIssuerName"),
    _c("list_cost", _M, "FOCUS ListCost", unit="billing_currency"),
    _c("list_unit_price", _M, "FOCUS ListUnitPrice", unit="billing_currency"),
    _c("pricing_category", _S, "FOCUS PricingCategory"),
    _c("pricing_currency", _S, "FOCUS PricingCurrency (1.2)"),
    _c(
        "pricing_currency_contracted_unit_price",
        _M,
        "FOCUS PricingCurrencyContractedUnitPrice (1.2)",
        unit="pricing_currency",
    ),
    _c(
        "pricing_currency_effective_cost",
        _M,
        "FOCUS PricingCurrencyEffectiveCost (1.2)",
        unit="pricing_currency",
    ),
    _c(
        "pricing_currency_list_unit_price",
        _M,
        "FOCUS PricingCurrencyListUnitPrice (1.2)",
        unit="pricing_currency",
    ),
    _c("pricing_quantity", _M, "FOCUS PricingQuantity", unit="pricing_unit"),
    _c("pricing_unit", _S, "FOCUS PricingUnit"),
    _c("provider_name", _S, "FOCUS ProviderName (to 1.3), or who took its place"),
    _c("publisher_name", _S, "FOCUS PublisherName (to 1.3)"),
    _c("region_id", _S, "FOCUS RegionId"),
    _c("region_name", _S, "FOCUS RegionName"),
    _c("resource_id", _S, "FOCUS ResourceId"),
    _c("resource_name", _S, "FOCUS ResourceName"),
    _c("resource_type", _S, "FOCUS ResourceType"),
    _c("service_category", _S, "FOCUS ServiceCategory"),
    _c("service_name", _S, "FOCUS ServiceName"),
    _c("service_provider_name", _S, "FOCUS ServiceProviderName (1.3)"),
    _c("service_subcategory", _S, "FOCUS ServiceSubcategory (1.1)"),
    _c("sku_id", _S, "FOCUS SkuId"),
    _c("sku_meter", _S, "FOCUS SkuMeter (1.1)"),
    _c("sku_price_details", _S, "FOCUS SkuPriceDetails (1.1), JSON text"),
    _c("sku_price_id", _S, "FOCUS SkuPriceId"),
    _c("sub_account_id", _S, "FOCUS SubAccountId"),
    _c("sub_account_name", _S, "FOCUS SubAccountName"),
    _c("sub_account_type", _S, "FOCUS SubAccountType (1.2)"),
    _c("tags", _SM, "FOCUS Tags"),
)
"""FOCUS 1.4 in snake_case, and what 1.4 dropped.

required = the row is useless without it, so it is quarantined.
"""

CHARGES = TableSchema(
    name="charges",
    grain="one FOCUS charge row of one delivery",
    partition="billing_period",
    columns=(
        *_PROVENANCE,
        _c("row_number", _I, "1-based data row in its file", required=True),
        _c("file", _S, "File of the delivery, relative to the source", required=True),
        *FOCUS_COLUMNS,
        _c("x_columns", _SM, "Columns outside FOCUS (x_... and others), kept as text"),
    ),
)

MEASUREMENTS = TableSchema(
    name="measurements",
    grain="one metric of one container, volume or device at one time",
    partition="day",
    columns=(
        *_PROVENANCE,
        _c("time", _T, "Start of the interval measured", required=True),
        _c("interval_seconds", _I, "Length of the interval", unit="s", required=True),
        _c("metric", _S, "Exporter's metric name; counters as rate per second", required=True),
        _c("cluster", _S, "Kubernetes cluster", required=True),
        _c("namespace", _S, "Kubernetes namespace; empty for cluster-scoped kinds"),
        _c("kind", _S, "Owning resource kind, such as Deployment", required=True),
        _c("name", _S, "Owning resource name", required=True),
        _c("container", _S, "Container, or empty where the metric has none"),
        _c("value", _F, "Value in the metric's own base unit, summed over replicas", required=True),
        _c("value_max", _F, "Largest value of any one replica in the interval"),
        _c("value_p50", _F, "Largest median of any one replica in the interval"),
        _c("value_p95", _F, "Largest 95th percentile of any one replica in the interval"),
        _c("series", _I, "How many series (replicas, devices) the value is made of"),
        _c("label", _S, "With kube_pod_labels: the label, as kube-state-metrics writes it"),
        _c("label_value", _S, "With kube_pod_labels: its value"),
    ),
)

INTENSITIES = TableSchema(
    name="intensities",
    grain="one region or zone, time, accounting method, kind and kind of emission factors",
    partition="day",
    columns=(
        *_PROVENANCE,
        _c("time", _T, "Start of the hour, or of a part of it", required=True),
        _c("region", _S, "Cloud region id as billed; empty where a zone is given"),
        _c("zone", _S, "Grid zone, in the words of who measures it"),
        _c("accounting", _S, "location or market", required=True),
        _c("kind", _S, "average, or marginal: of one kWh more. Empty is average"),
        _c("factors", _S, "lifecycle or direct (combustion alone); empty where nobody says"),
        _c("gco2e_per_kwh", _F, "Grid intensity; empty where it is not known", unit="gCO2e/kWh"),
        _c("low_gco2e_per_kwh", _F, "Lower end, where the sender gives one", unit="gCO2e/kWh"),
        _c("high_gco2e_per_kwh", _F, "Upper end, where the sender gives one", unit="gCO2e/kWh"),
        _c("basis", _S, "measured or estimated, by the sender. Empty is measured"),
        _c("estimation_method", _S, "How the sender estimated it"),
    ),
)

PREDICTIONS = TableSchema(
    name="predictions",
    grain="one prediction of one model",
    partition="day",
    columns=(
        *_PROVENANCE,
        _c("time", _T, "When the model answered", required=True),
        _c("model", _S, "Model name", required=True),
        _c("model_version", _S, "Model version", required=True),
        _c("prediction_id", _S, "Joins the label that comes later", required=True, personal=True),
        _c("features", _FM, "Numeric inputs", required=True, personal=True),
        _c("categories", _SM, "Inputs that are no numbers", personal=True),
        _c("groups", _SM, "Protected groups of the subject", required=True, personal=True),
        _c("prediction", _F, "Class 0 or 1, or a number", required=True),
        _c("probability", _F, "Of class 1, for classifiers"),
        _c("latency_ms", _F, "Time to answer", unit="ms"),
        _c("energy_wh", _F, "Energy of the answer", unit="Wh"),
        _c("input_tokens", _I, "Tokens given to a language model", unit="tokens"),
        _c("output_tokens", _I, "Tokens it answered with", unit="tokens"),
    ),
)

LABELS = TableSchema(
    name="labels",
    grain="the truth of one prediction, when it became known",
    partition="day",
    columns=(
        *_PROVENANCE,
        _c("time", _T, "When the truth was recorded", required=True),
        _c("model", _S, "Model name", required=True),
        _c(
            "prediction_id",
            _S,
            "The prediction it is the truth of",
            required=True,
            personal=True,
        ),
        _c("label", _F, "Class 0 or 1, or a number", required=True),
    ),
)

RUNS = TableSchema(
    name="runs",
    grain="one run at one place on one day, as it was known when the day ended",
    partition="day",
    columns=(
        *_PROVENANCE,
        _c("time", _T, "Since when it ran on the day: its start, or midnight", required=True),
        _c("system", _S, "What ran it, such as mlflow, kubeflow or airflow", required=True),
        _c("experiment", _S, "Experiment, pipeline or DAG it belongs to"),
        _c("run_id", _S, "Id in its system", required=True),
        _c("name", _S, "Name of the run"),
        _c("owner", _S, "User who started it", personal=True),
        _c("status", _S, "scheduled, running, finished, failed, killed, unknown", required=True),
        _c("lifecycle", _S, "active or deleted, where its system tells"),
        _c("started_at", _T, "When it started", required=True),
        _c("ended_at", _T, "When it ended; empty where that was not known by the day's end"),
        _c("cluster", _S, "Kubernetes cluster it ran in"),
        _c("namespace", _S, "Kubernetes namespace it ran in"),
        _c("workload_kind", _S, "Kind of the Kubernetes workload it ran in"),
        _c("workload", _S, "Name of the Kubernetes workload it ran in"),
        _c("resource_id", _S, "Id of the billed resource it ran on"),
        _c("metrics", _FM, "Last value of each metric by the day's end, where finite"),
        _c("metrics_not_finite", _SM, "Metrics whose last value is no number: NaN, Infinity"),
        _c("params", _SM, "Parameters"),
        _c("tags", _SM, "Tags or labels"),
    ),
)

MODEL_VERSIONS = TableSchema(
    name="model_versions",
    grain="one version of a registered model on a day it was made or changed",
    partition="day",
    columns=(
        *_PROVENANCE,
        _c("time", _T, "When it was made or last changed", required=True),
        _c("registry", _S, "What keeps it, such as mlflow", required=True),
        _c("model", _S, "Name of the registered model", required=True),
        _c("version", _S, "Its version", required=True),
        _c("run_id", _S, "Run that made it"),
        _c("owner", _S, "User who registered it", personal=True),
        _c("status", _S, "Such as READY; empty where a later change hides it"),
        _c("stage", _S, "Stage; empty where a later change hides it"),
        _c("aliases", _S, "Aliases, sorted, by comma; empty where a later change hides them"),
        _c("created_at", _T, "When it was registered", required=True),
    ),
)

TOKEN_USAGE = TableSchema(
    name="token_usage",
    grain="what one service asked of one model by one operation in an interval",
    partition="day",
    columns=(
        *_PROVENANCE,
        _c("time", _T, "Start of the interval", required=True),
        _c("interval_seconds", _I, "Length of the interval", unit="s", required=True),
        _c("provider", _S, "gen_ai.provider.name, formerly gen_ai.system", required=True),
        _c("model", _S, "Model that answered, else the one asked for", required=True),
        _c("operation", _S, "gen_ai.operation.name, such as chat"),
        _c("service", _S, "service.name"),
        _c("team", _S, "Team by the service's resource attributes"),
        _c("cluster", _S, "k8s.cluster.name"),
        _c("namespace", _S, "k8s.namespace.name, else service.namespace"),
        _c("workload", _S, "KIND/NAMESPACE/NAME of the Kubernetes workload"),
        _c("input_tokens", _I, "Tokens given", unit="tokens", required=True),
        _c("output_tokens", _I, "Tokens made", unit="tokens", required=True),
        _c("cached_input_tokens", _I, "Those of the tokens given that a cache had", unit="tokens"),
        _c("requests", _I, "Answers that said how many tokens they used"),
    ),
)

BUSINESS_METRICS = TableSchema(
    name="business_metrics",
    grain="how much of one metric of the business there was in a day or a part of it",
    partition="day",
    columns=(
        *_PROVENANCE,
        _c("time", _T, "The day, or a time on it: what a day has is summed", required=True),
        _c("metric", _S, "What is counted, such as orders or active users", required=True),
        _c("quantity", _F, "How much of it", required=True),
        _c("business_unit", _S, "Part of the company whose it is; empty is all"),
        _c("team", _S, "Team whose it is; empty is all"),
        _c("product", _S, "Product whose it is; empty is all"),
        _c("environment", _S, "Environment whose it is; empty is all"),
        _c("cost_center", _S, "Cost centre whose it is; empty is all"),
    ),
)

LANDING_TABLES = {
    t.name: t
    for t in (
        CHARGES,
        MEASUREMENTS,
        INTENSITIES,
        PREDICTIONS,
        LABELS,
        RUNS,
        MODEL_VERSIONS,
        TOKEN_USAGE,
        BUSINESS_METRICS,
    )
}

METRICS: dict[str, tuple[str, str]] = {
    "kube_pod_container_resource_requests_cpu": ("cores", "kube-state-metrics, resource=cpu"),
    "kube_pod_container_resource_requests_memory": ("bytes", "kube-state-metrics, resource=memory"),
    "kube_pod_container_resource_requests_gpu": (
        "GPUs",
        "kube-state-metrics, resource of a GPU; a MIG profile as sevenths of one",
    ),
    "kube_pod_container_resource_limits_cpu": ("cores", "kube-state-metrics, resource=cpu"),
    "kube_pod_container_resource_limits_memory": ("bytes", "kube-state-metrics, resource=memory"),
    "kube_pod_container_status_restarts_total": ("1/s", "kube-state-metrics, rate per second"),
    "kube_pod_container_status_last_terminated_reason_OOMKilled": (
        "containers",
        "kube-state-metrics, reason=OOMKilled",
    ),
    "kube_node_status_capacity_cpu": ("cores", "kube-state-metrics, resource=cpu"),
    "kube_node_status_capacity_memory": ("bytes", "kube-state-metrics, resource=memory"),
    "kube_node_status_capacity_gpu": (
        "GPUs",
        "kube-state-metrics, resource of a GPU; a MIG profile as sevenths of one",
    ),
    "kube_node_status_allocatable_cpu": ("cores", "kube-state-metrics, resource=cpu"),
    "kube_node_status_allocatable_memory": ("bytes", "kube-state-metrics, resource=memory"),
    "kube_node_status_allocatable_gpu": (
        "GPUs",
        "kube-state-metrics, resource of a GPU; a MIG profile as sevenths of one",
    ),
    "kube_pod_labels": (
        "pod-hours",
        "kube-state-metrics, one label and value of a workload's pods",
    ),
    "kube_deployment_spec_replicas": ("replicas", "kube-state-metrics"),
    "kube_deployment_status_replicas_available": ("replicas", "kube-state-metrics"),
    "kube_statefulset_replicas": ("replicas", "kube-state-metrics"),
    "kube_daemonset_status_desired_number_scheduled": ("replicas", "kube-state-metrics"),
    "kube_horizontalpodautoscaler_spec_min_replicas": ("replicas", "kube-state-metrics"),
    "kube_horizontalpodautoscaler_spec_max_replicas": ("replicas", "kube-state-metrics"),
    "kube_horizontalpodautoscaler_status_current_replicas": ("replicas", "kube-state-metrics"),
    "kube_horizontalpodautoscaler_status_desired_replicas": ("replicas", "kube-state-metrics"),
    "kube_horizontalpodautoscaler_spec_target_metric_cpu_utilization": (
        "percent",
        "kube-state-metrics, metric_name=cpu, metric_target_type=utilization",
    ),
    "kube_horizontalpodautoscaler_spec_target_metric_memory_utilization": (
        "percent",
        "kube-state-metrics, metric_name=memory, metric_target_type=utilization",
    ),
    "container_cpu_usage_seconds_total": ("cores", "cAdvisor, rate per second"),
    "container_memory_working_set_bytes": ("bytes", "cAdvisor"),
    "container_cpu_cfs_periods_total": ("1/s", "cAdvisor, rate per second"),
    "container_cpu_cfs_throttled_periods_total": ("1/s", "cAdvisor, rate per second"),
    "container_oom_events_total": ("1/s", "cAdvisor, rate per second"),
    "container_fs_reads_bytes_total": ("bytes/s", "cAdvisor, rate per second"),
    "container_fs_writes_bytes_total": ("bytes/s", "cAdvisor, rate per second"),
    "container_network_receive_bytes_total": ("bytes/s", "cAdvisor, rate per second"),
    "container_network_transmit_bytes_total": ("bytes/s", "cAdvisor, rate per second"),
    "kubelet_volume_stats_used_bytes": ("bytes", "kubelet"),
    "kubelet_volume_stats_capacity_bytes": ("bytes", "kubelet"),
    "DCGM_FI_DEV_GPU_UTIL": ("percent", "DCGM exporter, mean over the workload's GPUs"),
    "DCGM_FI_DEV_FB_USED": ("MiB", "DCGM exporter"),
    "DCGM_FI_DEV_FB_FREE": ("MiB", "DCGM exporter"),
    "DCGM_FI_DEV_POWER_USAGE": ("W", "DCGM exporter, summed over the workload's GPUs"),
    "kepler_container_package_joules_total": ("W", "Kepler up to 0.9, CPU, rate per second"),
    "kepler_container_dram_joules_total": ("W", "Kepler up to 0.9, memory, rate per second"),
    "kepler_container_joules_total": ("W", "Kepler up to 0.9, rate per second"),
    "kepler_node_platform_joules_total": ("W", "Kepler up to 0.9, rate per second"),
    "kepler_pod_cpu_joules_total": ("W", "Kepler since 0.10, zone=package, rate per second"),
    "kepler_node_cpu_joules_total": ("W", "Kepler since 0.10, zone=package, rate per second"),
    "node_cpu_seconds_total": ("cores", "node exporter, non-idle modes, rate per second"),
    "node_memory_MemAvailable_bytes": ("bytes", "node exporter"),
    "node_memory_MemTotal_bytes": ("bytes", "node exporter"),
    "node_network_receive_bytes_total": ("bytes/s", "node exporter, rate per second"),
    "node_network_transmit_bytes_total": ("bytes/s", "node exporter, rate per second"),
    "node_disk_read_bytes_total": ("bytes/s", "node exporter, rate per second"),
    "node_disk_written_bytes_total": ("bytes/s", "node exporter, rate per second"),
    "aws_ec2_cpuutilization_average": ("percent", "CloudWatch exporter, of all vCPUs"),
    "aws_rds_cpuutilization_average": ("percent", "CloudWatch exporter, of all vCPUs"),
    "aws_rds_freeable_memory_average": ("bytes", "CloudWatch exporter"),
    "aws_rds_network_receive_throughput_average": ("bytes/s", "CloudWatch exporter"),
    "aws_rds_network_transmit_throughput_average": ("bytes/s", "CloudWatch exporter"),
    "aws_rds_read_throughput_average": ("bytes/s", "CloudWatch exporter"),
    "aws_rds_write_throughput_average": ("bytes/s", "CloudWatch exporter"),
    "aws_rds_database_connections_average": ("connections", "CloudWatch exporter"),
    "aws_lambda_invocations_sum": ("per period", "CloudWatch exporter, as CloudWatch sums it"),
    "aws_lambda_errors_sum": ("per period", "CloudWatch exporter, as CloudWatch sums it"),
    "aws_lambda_throttles_sum": ("per period", "CloudWatch exporter, as CloudWatch sums it"),
    "aws_lambda_duration_average": ("ms", "CloudWatch exporter"),
    "aws_lambda_duration_p95": ("ms", "CloudWatch exporter, 95th percentile"),
    "aws_lambda_concurrent_executions_maximum": ("executions", "CloudWatch exporter"),
    "aws_lambda_provisioned_concurrent_executions_maximum": (
        "executions",
        "CloudWatch exporter, of those provisioned",
    ),
    "aws_lambda_provisioned_concurrency_utilization_maximum": (
        "share",
        "CloudWatch exporter, executions over those provisioned",
    ),
    "aws_lambda_provisioned_concurrency_spillover_invocations_sum": (
        "per period",
        "CloudWatch exporter, as CloudWatch sums it",
    ),
    "aws_lambdainsights_init_duration_average": ("ms", "CloudWatch exporter, cold starts"),
    "aws_lambdainsights_used_memory_max_maximum": ("MB", "CloudWatch exporter, Lambda Insights"),
    "aws_lambdainsights_total_memory_maximum": ("MB", "CloudWatch exporter, Lambda Insights"),
    "stackdriver_cloud_function_execution_count": ("per period", "Stackdriver exporter"),
    "stackdriver_cloud_function_execution_times_p95": (
        "ns",
        "Stackdriver exporter, 95th percentile",
    ),
    "stackdriver_cloud_run_request_count": ("per period", "Stackdriver exporter"),
    "http_requests_total": ("1/s", "application, rate per second"),
    "http_requests_total_errors": ("1/s", "application, status 5xx, rate per second"),
    "http_request_duration_seconds_count": ("1/s", "application, rate per second"),
    "http_request_duration_seconds_sum": ("s/s", "application, rate per second"),
    "http_request_duration_seconds_p95": ("s", "application, 95th percentile, slowest replica"),
    "istio_requests_total": ("1/s", "Istio, by the destination, rate per second"),
    "istio_requests_total_errors": ("1/s", "Istio, response_code 5xx, rate per second"),
    "istio_request_duration_milliseconds_p95": ("ms", "Istio, 95th percentile"),
    "response_total": ("1/s", "Linkerd, inbound, rate per second"),
    "response_total_errors": ("1/s", "Linkerd, classification=failure, rate per second"),
    "response_latency_ms_p95": ("ms", "Linkerd, 95th percentile, slowest replica"),
    "argocd_app_info_synced": ("share", "Argo CD, sync_status=Synced, of the interval"),
    "argocd_app_info_healthy": ("share", "Argo CD, health_status=Healthy, of the interval"),
    "gotk_reconcile_condition_ready": ("share", "Flux, type=Ready and status=True"),
    "gotk_resource_info_ready": ("share", "Flux, ready=True, of the interval"),
    "node_cpu_hourly_cost": ("currency per core-hour", "OpenCost"),
    "node_ram_hourly_cost": ("currency per GiB-hour", "OpenCost"),
    "node_gpu_hourly_cost": ("currency per GPU-hour", "OpenCost"),
    "node_total_hourly_cost": ("currency per hour", "OpenCost"),
    "pv_hourly_cost": ("currency per GiB-hour", "OpenCost"),
}
"""Metric name -> (unit, exporter). Names are the exporters' own; a label that Prometheus keeps
apart (resource=cpu) and a percentile are appended, and counters are landed as rates."""
