"""Which metrics are asked for, as data: exporter's series, whose it is, how it is added up.

Names, units and exporters are those of `domain.schemas.METRICS`; no query is made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from finops_dagster.domain.schemas import METRICS


class Kind(StrEnum):
    """How an interval of a series is summarised."""

    GAUGE = "gauge"
    """By its samples."""
    COUNTER = "counter"
    """By its slopes, per second."""
    SHARE = "share"
    """Share of the samples of an information series that carry `state`."""
    QUANTILE = "quantile"
    """The 95th percentile of a histogram's observations in the interval."""


@dataclass(frozen=True)
class Whose:
    """The labels that say whose a series is; of several names the first that is not empty."""

    kind: str = ""
    """A fixed kind of resource; empty: the pod's owner, or by `kind_labels`."""
    kind_labels: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    """Of the resource itself, where a label has it."""
    pod: tuple[str, ...] = ()
    container: tuple[str, ...] = ()
    node: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label a query has to keep, each once."""
        roles = (
            self.kind_labels, self.namespace, self.name, self.pod, self.container, self.node,
        )  # fmt: skip
        return tuple(dict.fromkeys(label for role in roles for label in role))

    @property
    def split(self) -> tuple[str, ...]:
        """Labels to split queries by: those of the finest name."""
        return self.pod or self.name or self.node


@dataclass(frozen=True)
class Metric:
    """One metric as it lands, and where it comes from."""

    name: str
    series: str
    whose: Whose
    kind: Kind = Kind.GAUGE
    matchers: tuple[str, ...] = ()
    """Alternatives are added up with `or`: of exporters that name a label differently."""
    parts: tuple[str, ...] = ()
    """Labels of a pod's or node's parts, such as its interfaces: added up by the store."""
    members: tuple[str, ...] = ()
    """Labels of devices that are told apart up to the workload, such as GPUs."""
    slices: str = ""
    """The member that may be a MIG profile: a series of `nvidia_com_mig_3g_20gb` counts 3 / 7."""
    fold: Literal["sum", "mean", "max"] = "sum"
    """How replicas and devices of a workload become its value."""
    spread: bool = False
    """Whether the largest value and quantiles of a replica are asked for too."""
    unlabelled: bool = False
    """Its series carry labels of their own that nobody can list: all are added up."""
    running_only: bool = False
    """Whether pods that have finished are left out: they hold nothing any more."""
    state: str = ""

    @property
    def unit(self) -> str:
        return METRICS[self.name][0]

    @property
    def exporter(self) -> str:
        return METRICS[self.name][1].partition(",")[0]


_CADVISOR = Whose(namespace=("namespace",), pod=("pod",), container=("container",))
_POD = Whose(namespace=("namespace",), pod=("pod",))
_NAMESPACE = ("exported_namespace", "namespace")
_STATE = Whose(
    namespace=_NAMESPACE,
    pod=("exported_pod", "pod"),
    container=("exported_container", "container"),
)
"""An exporter that tells of others: where its own labels were kept, theirs are `exported_`."""
_GPU = Whose(
    namespace=_STATE.namespace, pod=_STATE.pod, container=_STATE.container, node=("Hostname",)
)
_NODE = Whose(kind="Node", node=("node", "nodename", "kubernetes_node", "instance"))
_STATE_NODE = Whose(kind="Node", node=("exported_node", "node"))
_KEPLER = Whose(
    namespace=("container_namespace",), pod=("pod_name",), container=("container_name",)
)
_KEPLER_POD = Whose(namespace=("pod_namespace",), pod=("pod_name",))
_LAMBDA = Whose(
    kind="Function", name=("dimension_FunctionName", "dimension_function_name", "function_name")
)
_EC2 = Whose(kind="Machine", name=("dimension_InstanceId", "dimension_instance_id", "instance_id"))
_RDS = Whose(
    kind="Database",
    name=(
        "dimension_DBInstanceIdentifier",
        "dimension_dbinstance_identifier",
        "dbinstance_identifier",
    ),
)
_CLOUD_FUNCTION = Whose(kind="Function", name=("function_name",))
_CLOUD_RUN = Whose(kind="Function", name=("service_name",))
_ISTIO = Whose(
    kind_labels=(),
    namespace=("destination_workload_namespace",),
    name=("destination_workload",),
)


def _named(kind: str, label: str) -> Whose:
    return Whose(kind=kind, namespace=_NAMESPACE, name=(label,))


_GPUS = "nvidia_com_gpu|nvidia_com_gpu_shared|nvidia_com_mig_.+|amd_com_gpu|gpu_intel_com_(i915|xe)"
"""Device plugins' resources, as kube-state-metrics writes them. A GPU shared by time-slicing is as
many as the plugin says, of nodes and of requests alike."""


def _of_resource(series: str, resource: str, whose: Whose, **more: object) -> Metric:
    if resource == "gpu":
        more |= {"matchers": (f'resource=~"{_GPUS}"',), "members": ("resource",)}
        more |= {"slices": "resource"}
    else:
        more |= {"matchers": (f'resource="{resource}"',)}
    return Metric(f"{series}_{resource}", series, whose, **more)  # type: ignore[arg-type]


def _requests(resource: str, side: str) -> Metric:
    series = f"kube_pod_container_resource_{side}"
    return _of_resource(series, resource, _STATE, running_only=True)


def _nodes(side: str) -> tuple[Metric, ...]:
    return tuple(
        _of_resource(f"kube_node_status_{side}", resource, _STATE_NODE)
        for resource in ("cpu", "memory", "gpu")
    )


_IN_CONTAINER = ('container!="",container!="POD"',)
"""cAdvisor also tells of pods as a whole and of their pause container."""
_HPA = "horizontalpodautoscaler"
_ARGO = Whose(kind="Application", namespace=_NAMESPACE, name=("exported_name", "name"))
_FLUX = Whose(kind_labels=("exported_kind", "kind"), namespace=_NAMESPACE, name=("name",))
_FLUX_RESOURCE = Whose(kind_labels=("customresource_kind",), namespace=_NAMESPACE, name=("name",))


def _hpa(name: str, matchers: tuple[str, ...] = (), series: str = "") -> Metric:
    return Metric(
        f"kube_{_HPA}_{name}",
        f"kube_{_HPA}_{series or name}",
        _named("HorizontalPodAutoscaler", _HPA),
        matchers=matchers,
    )


def _hpa_target(resource: str) -> Metric:
    return _hpa(
        f"spec_target_metric_{resource}_utilization",
        (f'metric_name="{resource}",metric_target_type="utilization"',),
        "spec_target_metric",
    )


def _counter(series: str, whose: Whose, **more: object) -> Metric:
    return Metric(series, series, whose, Kind.COUNTER, **more)  # type: ignore[arg-type]


def _gauge(series: str, whose: Whose, **more: object) -> Metric:
    return Metric(series, series, whose, **more)  # type: ignore[arg-type]


CATALOGUE: tuple[Metric, ...] = (
    # containers: cAdvisor
    _counter("container_cpu_usage_seconds_total", _CADVISOR, matchers=_IN_CONTAINER, spread=True),
    _gauge("container_memory_working_set_bytes", _CADVISOR, matchers=_IN_CONTAINER, spread=True),
    _counter("container_cpu_cfs_periods_total", _CADVISOR, matchers=_IN_CONTAINER),
    _counter("container_cpu_cfs_throttled_periods_total", _CADVISOR, matchers=_IN_CONTAINER),
    _counter("container_oom_events_total", _CADVISOR, matchers=_IN_CONTAINER),
    _counter(
        "container_fs_reads_bytes_total", _CADVISOR, matchers=_IN_CONTAINER, parts=("device",)
    ),
    _counter(
        "container_fs_writes_bytes_total", _CADVISOR, matchers=_IN_CONTAINER, parts=("device",)
    ),
    _counter(
        "container_network_receive_bytes_total",
        _POD,
        matchers=('pod!=""',),
        parts=("interface",),
    ),
    _counter(
        "container_network_transmit_bytes_total",
        _POD,
        matchers=('pod!=""',),
        parts=("interface",),
    ),
    # containers and what owns them: kube-state-metrics
    _requests("cpu", "requests"),
    _requests("memory", "requests"),
    _requests("gpu", "requests"),
    _requests("cpu", "limits"),
    _requests("memory", "limits"),
    _counter("kube_pod_container_status_restarts_total", _STATE),
    Metric(
        "kube_pod_container_status_last_terminated_reason_OOMKilled",
        "kube_pod_container_status_last_terminated_reason",
        _STATE,
        matchers=('reason="OOMKilled"',),
    ),
    _gauge("kube_deployment_spec_replicas", _named("Deployment", "deployment")),
    _gauge("kube_deployment_status_replicas_available", _named("Deployment", "deployment")),
    _gauge("kube_statefulset_replicas", _named("StatefulSet", "statefulset")),
    _gauge("kube_daemonset_status_desired_number_scheduled", _named("DaemonSet", "daemonset")),
    _hpa("spec_min_replicas"),
    _hpa("spec_max_replicas"),
    _hpa("status_current_replicas"),
    _hpa("status_desired_replicas"),
    _hpa_target("cpu"),
    _hpa_target("memory"),
    # volumes: kubelet
    _gauge(
        "kubelet_volume_stats_used_bytes",
        _named("PersistentVolumeClaim", "persistentvolumeclaim"),
        fold="max",
    ),
    _gauge(
        "kubelet_volume_stats_capacity_bytes",
        _named("PersistentVolumeClaim", "persistentvolumeclaim"),
        fold="max",
    ),
    # nodes: kube-state-metrics, node exporter
    *_nodes("capacity"),
    *_nodes("allocatable"),
    _counter(
        "node_cpu_seconds_total",
        _NODE,
        matchers=('mode!~"idle|iowait|steal|guest|guest_nice"',),
        parts=("cpu", "mode"),
    ),
    _gauge("node_memory_MemAvailable_bytes", _NODE),
    _gauge("node_memory_MemTotal_bytes", _NODE),
    _counter(
        "node_network_receive_bytes_total",
        _NODE,
        matchers=('device!~"lo|veth.*|cali.*|cni.*|docker.*"',),
        parts=("device",),
    ),
    _counter(
        "node_network_transmit_bytes_total",
        _NODE,
        matchers=('device!~"lo|veth.*|cali.*|cni.*|docker.*"',),
        parts=("device",),
    ),
    _counter("node_disk_read_bytes_total", _NODE, parts=("device",)),
    _counter("node_disk_written_bytes_total", _NODE, parts=("device",)),
    # GPUs: DCGM exporter
    _gauge("DCGM_FI_DEV_GPU_UTIL", _GPU, members=("gpu", "UUID"), fold="mean", spread=True),
    _gauge("DCGM_FI_DEV_FB_USED", _GPU, members=("gpu", "UUID"), spread=True),
    _gauge("DCGM_FI_DEV_FB_FREE", _GPU, members=("gpu", "UUID")),
    _gauge("DCGM_FI_DEV_POWER_USAGE", _GPU, members=("gpu", "UUID"), spread=True),
    # power: Kepler up to 0.9, and since 0.10
    _counter("kepler_container_joules_total", _KEPLER, parts=("mode",)),
    _counter("kepler_container_package_joules_total", _KEPLER, parts=("mode",)),
    _counter("kepler_container_dram_joules_total", _KEPLER, parts=("mode",)),
    _counter("kepler_node_platform_joules_total", _NODE, parts=("mode", "source")),
    _counter(
        "kepler_pod_cpu_joules_total", _KEPLER_POD, parts=("zone",), matchers=('zone="package"',)
    ),
    _counter(
        "kepler_node_cpu_joules_total", _NODE, parts=("zone", "path"), matchers=('zone="package"',)
    ),
    # machines and databases: CloudWatch exporters (YACE and cloudwatch_exporter)
    _gauge("aws_ec2_cpuutilization_average", _EC2, fold="max"),
    _gauge("aws_rds_cpuutilization_average", _RDS, fold="max"),
    _gauge("aws_rds_freeable_memory_average", _RDS, fold="max"),
    _gauge("aws_rds_network_receive_throughput_average", _RDS, fold="max"),
    _gauge("aws_rds_network_transmit_throughput_average", _RDS, fold="max"),
    _gauge("aws_rds_read_throughput_average", _RDS, fold="max"),
    _gauge("aws_rds_write_throughput_average", _RDS, fold="max"),
    _gauge("aws_rds_database_connections_average", _RDS, fold="max"),
    # functions: CloudWatch exporters (YACE and cloudwatch_exporter), Stackdriver exporter
    _gauge("aws_lambda_invocations_sum", _LAMBDA, fold="max"),
    _gauge("aws_lambda_errors_sum", _LAMBDA, fold="max"),
    _gauge("aws_lambda_throttles_sum", _LAMBDA, fold="max"),
    _gauge("aws_lambda_duration_average", _LAMBDA, fold="max"),
    _gauge("aws_lambda_duration_p95", _LAMBDA, fold="max"),
    _gauge("aws_lambda_concurrent_executions_maximum", _LAMBDA, fold="max"),
    _gauge("aws_lambda_provisioned_concurrent_executions_maximum", _LAMBDA, fold="max"),
    _gauge("aws_lambda_provisioned_concurrency_utilization_maximum", _LAMBDA, fold="max"),
    _gauge("aws_lambda_provisioned_concurrency_spillover_invocations_sum", _LAMBDA, fold="max"),
    _gauge("aws_lambdainsights_init_duration_average", _LAMBDA, fold="max"),
    _gauge("aws_lambdainsights_used_memory_max_maximum", _LAMBDA, fold="max"),
    _gauge("aws_lambdainsights_total_memory_maximum", _LAMBDA, fold="max"),
    Metric(
        "stackdriver_cloud_function_execution_count",
        "stackdriver_cloud_function_cloudfunctions_googleapis_com_function_execution_count",
        _CLOUD_FUNCTION,
        unlabelled=True,
    ),
    Metric(
        "stackdriver_cloud_function_execution_times_p95",
        "stackdriver_cloud_function_cloudfunctions_googleapis_com_function_execution_times_bucket",
        _CLOUD_FUNCTION,
        Kind.QUANTILE,
        fold="max",
    ),
    Metric(
        "stackdriver_cloud_run_request_count",
        "stackdriver_cloud_run_revision_run_googleapis_com_request_count",
        _CLOUD_RUN,
        unlabelled=True,
    ),
    # requests, errors, latency: common HTTP histograms, Istio, Linkerd
    _counter("http_requests_total", _POD, unlabelled=True),
    Metric(
        "http_requests_total_errors",
        "http_requests_total",
        _POD,
        Kind.COUNTER,
        matchers=('code=~"5.."', 'status=~"5.."', 'status_code=~"5.."'),
        unlabelled=True,
    ),
    _counter("http_request_duration_seconds_count", _POD, unlabelled=True),
    _counter("http_request_duration_seconds_sum", _POD, unlabelled=True),
    Metric(
        "http_request_duration_seconds_p95",
        "http_request_duration_seconds_bucket",
        _POD,
        Kind.QUANTILE,
        fold="max",
    ),
    Metric(
        "istio_requests_total",
        "istio_requests_total",
        _ISTIO,
        Kind.COUNTER,
        matchers=('reporter="destination"',),
        unlabelled=True,
    ),
    Metric(
        "istio_requests_total_errors",
        "istio_requests_total",
        _ISTIO,
        Kind.COUNTER,
        matchers=('reporter="destination",response_code=~"5.."',),
        unlabelled=True,
    ),
    Metric(
        "istio_request_duration_milliseconds_p95",
        "istio_request_duration_milliseconds_bucket",
        _ISTIO,
        Kind.QUANTILE,
        matchers=('reporter="destination"',),
        fold="max",
    ),
    Metric(
        "response_total",
        "response_total",
        _POD,
        Kind.COUNTER,
        matchers=('direction="inbound"',),
        unlabelled=True,
    ),
    Metric(
        "response_total_errors",
        "response_total",
        _POD,
        Kind.COUNTER,
        matchers=('direction="inbound",classification="failure"',),
        unlabelled=True,
    ),
    Metric(
        "response_latency_ms_p95",
        "response_latency_ms_bucket",
        _POD,
        Kind.QUANTILE,
        matchers=('direction="inbound"',),
        fold="max",
    ),
    # GitOps: Argo CD, Flux
    Metric(
        "argocd_app_info_synced",
        "argocd_app_info",
        _ARGO,
        Kind.SHARE,
        state='sync_status="Synced"',
    ),
    Metric(
        "argocd_app_info_healthy",
        "argocd_app_info",
        _ARGO,
        Kind.SHARE,
        state='health_status="Healthy"',
    ),
    Metric(
        "gotk_reconcile_condition_ready",
        "gotk_reconcile_condition",
        _FLUX,
        matchers=('type="Ready",status="True"',),
    ),
    Metric(
        "gotk_resource_info_ready",
        "gotk_resource_info",
        _FLUX_RESOURCE,
        Kind.SHARE,
        state='ready="True"',
    ),
    # prices: OpenCost
    _gauge("node_cpu_hourly_cost", _NODE, fold="max"),
    _gauge("node_ram_hourly_cost", _NODE, fold="max"),
    _gauge("node_gpu_hourly_cost", _NODE, fold="max"),
    _gauge("node_total_hourly_cost", _NODE, fold="max"),
    _gauge(
        "pv_hourly_cost", Whose(kind="PersistentVolume", name=("persistentvolume",)), fold="max"
    ),
)
"""One entry per landed metric. Series are the exporters' own, as their documentation names them:
github.com/google/cadvisor docs/storage/prometheus.md, kubernetes/kube-state-metrics docs/metrics,
prometheus/node_exporter, MIG profiles in compute slices docs.nvidia.com/datacenter/tesla/
mig-user-guide, NVIDIA/dcgm-exporter etc/default-counters.csv, sustainable-computing-io/
kepler docs/user/metrics.md, prometheus-community/yet-another-cloudwatch-exporter,
prometheus-community/stackdriver_exporter, istio.io/latest/docs/reference/config/metrics,
linkerd.io/2/reference/proxy-metrics, argo-cd.readthedocs.io/operator-manual/metrics,
fluxcd.io/flux/monitoring/metrics, opencost.io/docs/integrations/prometheus-metrics."""

POD_PHASE = "kube_pod_status_phase"
POD_LABELS = "kube_pod_labels"
KSERVE_LABEL = "label_serving_kserve_io_inferenceservice"
"""On pods that KServe runs, where kube-state-metrics is allowed to show it: the Deployment that
owns them is KServe's own, what a person declares is the InferenceService."""
NODE_NAMES = "node_uname_info"

OWNERS: Mapping[str, tuple[str, ...]] = {
    "kube_pod_owner": (
        *_NAMESPACE, "exported_pod", "pod", "owner_kind", "owner_name", "owner_is_controller",
    ),
    "kube_replicaset_owner": (*_NAMESPACE, "replicaset", "owner_kind", "owner_name"),
    "kube_job_owner": (*_NAMESPACE, "job_name", "owner_kind", "owner_name"),
    POD_LABELS: (*_NAMESPACE, "exported_pod", "pod", KSERVE_LABEL),
    NODE_NAMES: ("instance", "nodename"),
}  # fmt: skip
"""Information series that say what owns a pod, and which node an address is, with their labels."""

NAMES = frozenset({metric.series for metric in CATALOGUE} | set(OWNERS) | {POD_PHASE})
"""Every series that a store may be asked for."""
