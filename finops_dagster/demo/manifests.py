"""Kubernetes workloads as YAML by different hands: layouts, quotes and comments vary.

What a workload declares is in plan; the files of Kustomize and Helm around it are in folders.
"""

from __future__ import annotations

from finops_dagster.demo.company import TEAMS
from finops_dagster.demo.plan import Claim, Container, Sizing, Workload

REGISTRY = "registry.halden.example"
GPU_RESOURCE = "nvidia.com/gpu"
BUDGET_LABEL = "finops.io/budget-approved"
ACCELERATOR = "cloud.google.com/gke-accelerator"
NODE_ACCELERATOR = "k8s.amazonaws.com/accelerator"
STYLES = 5
_REMARKS = (
    "nach dem Überlast-Test im März angehoben, vor dem Senken Jörg fragen",
    "sized for the sale weekend – café traffic peaks at 11:00",
    "copied from the service next door",
    "was: 500m, throttled",
    "ask #help-platform before changing",
    "doublé après l'incident",
    "TCO review: fine as it is (Søren)",
)
"""What people leave beside a number; seven, so that they do not march in step with the habits."""


def cpu_text(millis: int, style: int) -> str:
    """A CPU quantity as this author writes it: 1500m, 1.5, "1.5" or '1500m'."""
    whole = f"{millis}m" if millis % 1000 else str(millis // 1000)
    cores = f"{millis / 1000:g}"
    return (f"{millis}m", f'"{whole}"', whole, f"'{cores}'", f'"{cores}"')[style % STYLES]


def memory_text(mib: int, style: int) -> str:
    """A memory quantity as this author writes it: 2Gi, "2Gi", 2048Mi."""
    short = f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"
    return (short, f'"{short}"', short, f"'{mib}Mi'", f'"{short}"')[style % STYLES]


def resources(container: Container, style: int, indent: int) -> list[str]:
    """The `resources` of a container, `indent` columns in, in one of five habits."""
    request = [
        ("cpu", cpu_text(container.cpu_millis, style)),
        ("memory", memory_text(container.memory_mib, style)),
    ]
    limit: list[tuple[str, str]] = []
    if container.cpu_limit_millis:
        limit.append(("cpu", cpu_text(container.cpu_limit_millis, style)))
    if container.memory_limit_mib:
        limit.append(("memory", memory_text(container.memory_limit_mib, style)))
    if container.gpus:
        request.append((GPU_RESOURCE, f'"{container.gpus}"'))
        limit.append((GPU_RESOURCE, f'"{container.gpus}"'))

    def flow(pairs: list[tuple[str, str]]) -> str:
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"

    kind = style % STYLES
    if kind == 1:
        lines = ["resources:", f"  requests: {flow(request)}"]
        lines += [f"  limits: {flow(limit)}"] if limit else []
    elif kind == 2:
        lines = ["resources:"]
        if limit:
            lines += ["  limits:", *(f"    {key}: {value}" for key, value in limit)]
        lines += [
            "  requests:",
            f"    {request[0][0]}: {request[0][1]}      # {_REMARKS[style % len(_REMARKS)]}",
            *(f"    {key}: {value}" for key, value in request[1:]),
        ]
    elif kind == 3:
        inner = f"requests: {flow(request)}" + (f", limits: {flow(limit)}" if limit else "")
        lines = [f"resources: {{{inner}}}"]
    elif kind == 4:
        lines = [
            "resources:",
            f"    # {_REMARKS[style % len(_REMARKS)]}",
            "    requests:",
            *(f"        {key}:   {value}" for key, value in request),
        ]
        if limit:
            lines += ["", "    limits:", *(f"        {key}:   {value}" for key, value in limit)]
    else:
        lines = ["resources:", "  requests:", *(f"    {key}: {value}" for key, value in request)]
        if limit:
            lines += ["  limits:", *(f"    {key}: {value}" for key, value in limit)]
    return [" " * indent + line if line else "" for line in lines]


def labels(workload: Workload, *, environment: bool) -> dict[str, str]:
    """The ownership labels of a workload, less those its team forgot."""
    team = TEAMS[workload.spec.team]
    found = {
        "app.kubernetes.io/name": workload.spec.name,
        "team": team.name,
        "business-unit": team.business_unit,
        "cost-center": team.cost_center,
    }
    if environment:
        found["environment"] = workload.environment
    if workload.spec.gpu and not workload.spec.purpose and not workload.version:
        found["finops.io/model"] = "none"
    if workload.spec.budget_approved:
        found[BUDGET_LABEL] = '"true"'
    return {key: value for key, value in found.items() if key not in workload.spec.missing_labels}


def _label_lines(found: dict[str, str], indent: int) -> list[str]:
    return [f"{' ' * indent}{key}: {value}" for key, value in found.items()]


def _container_lines(
    workload: Workload, containers: tuple[Container, ...], style: int, indent: int
) -> list[str]:
    pad = " " * indent
    lines: list[str] = []
    for container in containers:
        tag = f"3.{len(container.name)}.1"
        if workload.version and container.name == workload.spec.container:
            tag = workload.version
        image = f"{REGISTRY}/{workload.spec.team}/{workload.spec.name}:{tag}"
        lines += [f"{pad}- name: {container.name}", f"{pad}  image: {image}"]
        lines += resources(container, style, indent + 2)
        if workload.claims and container is containers[0]:
            lines += [f"{pad}  volumeMounts:"]
            lines += [
                f"{pad}  - {{name: {claim}, mountPath: /var/lib/{claim}}}"
                for claim in workload.claims
            ]
    return lines


def _pod_lines(
    workload: Workload, containers: tuple[Container, ...], style: int, indent: int
) -> list[str]:
    pad = " " * indent
    lines: list[str] = []
    if workload.spec.gpu:
        label = NODE_ACCELERATOR if workload.cluster.pools else ACCELERATOR
        lines += [f"{pad}nodeSelector:", f"{pad}  {label}: {workload.spec.gpu}"]
    lines += [f"{pad}containers:", *_container_lines(workload, containers, style, indent)]
    if workload.claims:
        lines += [f"{pad}volumes:"]
        for claim in workload.claims:
            lines += [f"{pad}- name: {claim}", f"{pad}  persistentVolumeClaim:"]
            lines += [f"{pad}    claimName: {claim}"]
    return lines


def workload_yaml(
    workload: Workload, sizing: Sizing, *, in_base: bool, containers: tuple[Container, ...]
) -> str:
    """The manifest of a Deployment, StatefulSet, DaemonSet or CronJob.

    `in_base` leaves out what overlays say: namespace, environment and replicas.
    """
    spec = workload.spec
    api = "batch/v1" if spec.kind == "CronJob" else "apps/v1"
    lines = [f"apiVersion: {api}", f"kind: {spec.kind}", "metadata:", f"  name: {spec.name}"]
    if not in_base:
        lines.append(f"  namespace: {workload.namespace}")
    lines += ["  labels:", *_label_lines(labels(workload, environment=not in_base), 4), "spec:"]
    pod_labels = labels(workload, environment=not in_base)
    if spec.kind == "CronJob":
        lines += [
            f'  schedule: "0 {spec.cron_hour} * * *"   # UTC',
            "  concurrencyPolicy: Forbid",
            "  jobTemplate:",
            "    spec:",
            "      template:",
            "        metadata:",
            "          labels:",
            *_label_lines(pod_labels, 12),
            "        spec:",
            "          restartPolicy: Never",
            *_pod_lines(workload, containers, workload.style, 10),
        ]
        return "\n".join(lines) + "\n"
    if spec.kind == "StatefulSet":
        lines.append(f"  serviceName: {spec.name}")
    if spec.kind != "DaemonSet":
        lines.append(f"  replicas: {1 if in_base else sizing.replicas}")
    lines += [
        "  selector:",
        f"    matchLabels: {{app.kubernetes.io/name: {spec.name}}}",
        "  template:",
        "    metadata:",
        "      labels:",
        *_label_lines(pod_labels, 8),
        "    spec:",
        *_pod_lines(workload, containers, workload.style, 6),
    ]
    return "\n".join(lines) + "\n"


def patch_yaml(workload: Workload, sizing: Sizing) -> str:
    """The strategic merge patch in which an overlay declares its own sizes."""
    spec, style = workload.spec, workload.style
    lines = [f"# {spec.name} in {workload.environment}, owned by {spec.team}"]
    lines += ["apiVersion: apps/v1", f"kind: {spec.kind}", "metadata:", f"  name: {spec.name}"]
    lines.append("spec:")
    if sizing.hpa is None:
        lines.append(f"  replicas: {sizing.replicas}")
    dash = "        -" if style % 2 else "      -"
    inner = len(dash) + 1
    lines += ["  template:", "    spec:", "      containers:"]
    for container in sizing.containers:
        lines += [f"{dash} name: {container.name}", *resources(container, style, inner)]
        if workload.claims and container is sizing.main:
            pad = " " * inner
            lines += [f"{pad}volumeMounts:"]
            lines += [
                f"{pad}- {{name: {claim}, mountPath: /var/lib/{claim}}}"
                for claim in workload.claims
            ]
    if workload.claims:
        lines.append("      volumes:")
        for claim in workload.claims:
            lines.append(
                f"      - {{name: {claim}, persistentVolumeClaim: {{claimName: {claim}}}}}"
            )
    return "\n".join(lines) + "\n"


def inline_patch(workload: Workload, sizing: Sizing) -> list[str]:
    """The JSON patch inside a kustomization.yaml that sets replicas and resources."""
    main = sizing.main
    lines = [
        "  - target:",
        f"      kind: {workload.spec.kind}",
        f"      name: {workload.spec.name}",
        "    patch: |-",
        "      - op: replace",
        "        path: /spec/replicas",
        f"        value: {sizing.replicas}",
        "      - op: replace",
        "        path: /spec/template/spec/containers/0/resources",
        "        value:",
        "          requests:",
        f'            cpu: "{main.cpu_millis}m"',
        f'            memory: "{main.memory_mib}Mi"',
    ]
    if main.memory_limit_mib or main.cpu_limit_millis:
        lines.append("          limits:")
    if main.cpu_limit_millis:
        lines.append(f'            cpu: "{main.cpu_limit_millis}m"')
    if main.memory_limit_mib:
        lines.append(f'            memory: "{main.memory_limit_mib}Mi"')
    return lines


def inference_yaml(workload: Workload, sizing: Sizing) -> str:
    """A KServe InferenceService, as a model format or as a container of its own."""
    spec, version = workload.spec, workload.version or "current"
    lines = [
        "apiVersion: serving.kserve.io/v1beta1",
        "kind: InferenceService",
        "metadata:",
        f"  name: {spec.name}",
        f"  namespace: {workload.namespace}",
        "  labels:",
        *_label_lines(labels(workload, environment=True), 4),
        "spec:",
        "  predictor:",
        f"    minReplicas: {sizing.replicas}",
        f"    maxReplicas: {sizing.replicas}",
        "    nodeSelector:",
        f"      {ACCELERATOR}: {spec.gpu}",
    ]
    if workload.style % 2:
        lines += [
            "    model:",
            "      modelFormat:",
            "        name: pytorch",
            f"      storageUri: gs://halden-ml-artifacts/{spec.name}/{version}",
            *resources(sizing.main, workload.style, 6),
        ]
    else:
        lines += [
            "    containers:",
            *_container_lines(workload, sizing.containers, workload.style, 4),
        ]
    return "\n".join(lines) + "\n"


def service_yaml(name: str, namespace: str | None) -> str:
    """A Service in front of a workload."""
    place = f"  namespace: {namespace}\n" if namespace else ""
    return (
        f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n{place}spec:\n"
        f"  selector: {{app.kubernetes.io/name: {name}}}\n"
        "  ports: [{name: http, port: 80, targetPort: 8080}]\n"
    )


def autoscaler_yaml(workload: Workload, low: int, high: int) -> str:
    """The HorizontalPodAutoscaler of a workload."""
    return (
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n"
        f"  name: {workload.spec.name}\nspec:\n"
        f"  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {workload.spec.name}}}\n"
        f"  minReplicas: {low}\n  maxReplicas: {high}\n"
        "  metrics:\n  - type: Resource\n    resource:\n      name: cpu\n"
        "      target: {type: Utilization, averageUtilization: 65}\n"
    )


def disruption_budget_yaml(name: str) -> str:
    """A PodDisruptionBudget that keeps one pod up."""
    return (
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n"
        f"  name: {name}\nspec:\n  minAvailable: 1\n"
        f"  selector:\n    matchLabels: {{app.kubernetes.io/name: {name}}}\n"
    )


def claim_yaml(claim: Claim) -> str:
    """A PersistentVolumeClaim."""
    team = TEAMS[claim.team]
    return (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n"
        f"  name: {claim.name}\n  namespace: {claim.namespace}\n"
        f"  labels: {{team: {team.name}, business-unit: {team.business_unit}, "
        f"cost-center: {team.cost_center}, environment: prod}}\n"
        "spec:\n  accessModes: [ReadWriteOnce]\n"
        f"  resources:\n    requests:\n      storage: {claim.size_gib}Gi\n"
    )


def training_yaml(model: str, name: str, namespace: str, team: str, until: str) -> str:
    """The ConfigMap that a training reads its last day of data from, and that starts it anew."""
    return (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n"
        f"  name: {name}\n  namespace: {namespace}\n"
        f"  labels: {{team: {TEAMS[team].name}, finops.io/model: {model}}}\n"
        "data:\n"
        f'  data_until: "{until}"   # a later day here trains it anew\n'
        '  epochs: "12"\n'
    )


def card_yaml(
    name: str, namespace: str, workload: str, team: str, purpose: str, risk_class: str
) -> str:
    """The manifest by which a model is registered."""
    owner = TEAMS[team]
    site = "https://models.halden.example"
    return (
        "apiVersion: finops.io/v1\nkind: ModelCard\nmetadata:\n"
        f"  name: {name}\n  namespace: {namespace}\n"
        f"  labels: {{team: {owner.name}, cost-center: {owner.cost_center}}}\n"
        f"spec:\n  owner: {owner.name}\n  purpose: {purpose}\n  riskClass: {risk_class}\n"
        f"  workload: {workload}\n  lineage: {site}/{name}/lineage\n"
        f"  explanation: {site}/{name}/explanation\n"
    )
