"""Every file of the GitOps repository on a day: Kustomize, manifests, charts, applications.

How single Kubernetes manifests are written is in manifests, other tools' files in infrastructure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from finops_dagster.demo.catalogue import Layout
from finops_dagster.demo.company import CLUSTERS, TEAMS
from finops_dagster.demo.demand import sizing_on
from finops_dagster.demo.infrastructure import infrastructure_files
from finops_dagster.demo.manifests import (
    autoscaler_yaml,
    card_yaml,
    claim_yaml,
    cpu_text,
    disruption_budget_yaml,
    inference_yaml,
    inline_patch,
    memory_text,
    patch_yaml,
    service_yaml,
    training_yaml,
    workload_yaml,
)
from finops_dagster.demo.models import MODELS, TRAINING, declared_on, version_on
from finops_dagster.demo.plan import Container, Plan, Sizing, Workload

KUSTOMIZE = (Layout.OVERLAY, Layout.INLINE_PATCH, Layout.SHARED_BASE)
CARDS = "models"
"""Folder of what registers AI models."""
ALLOWED_PATHS = ("apps/**", "manifests/**", "ml/**", f"{CARDS}/**", "charts/*/values*.yaml")
ML_NAMESPACES = ("ml-serving", "ml-vision")

Files = dict[str, str]


def base_folder(workload: Workload) -> str:
    """Folder of the Kustomize base of a workload's app."""
    return f"apps/{workload.spec.app}/base"


def overlay_folder(workload: Workload) -> str:
    """Folder of the Kustomize overlay of a workload's app and environment."""
    return f"apps/{workload.spec.app}/overlays/{workload.environment}"


def manifest_path(workload: Workload) -> str:
    """File of a workload that is a plain manifest or an InferenceService."""
    if workload.cluster.pools:
        return f"manifests/{workload.namespace}/{workload.spec.name}.yaml"
    if workload.spec.gpu:
        return f"ml/{workload.namespace}/{workload.spec.name}.yaml"
    if workload.spec.name in ("fx-rates", "promo-banner"):
        return "manifests/retail/small-services.yaml"
    return f"manifests/{workload.spec.team}/{workload.spec.name}.yaml"


def claims_path(namespace: str) -> str:
    """File of a namespace's volume claims."""
    folder = "ml" if namespace in ML_NAMESPACES else "manifests"
    return f"{folder}/{namespace}/volumes.yaml"


def training_path() -> str:
    """File that says up to which day the churn model is trained."""
    return f"ml/{ML_NAMESPACES[0]}/{TRAINING}.yaml"


def tree(plan: Plan, day: date) -> Files:
    """Every file of the repository as it was on `day`."""
    versions = {model.workload: version_on(model, day, {}) for model in MODELS}
    alive = [
        (replace(workload, version=versions.get(workload.resource, "")), sizing)
        for workload in plan.workloads
        if (sizing := sizing_on(workload, {}, day)) is not None
    ]
    files: Files = {"README.md": _README}
    kustomized: dict[str, list[tuple[Workload, Sizing]]] = {}
    for workload, sizing in alive:
        layout = workload.spec.layout
        if layout in KUSTOMIZE:
            kustomized.setdefault(workload.spec.app, []).append((workload, sizing))
        elif layout is Layout.HELM:
            files |= _chart(workload, sizing)
        elif layout is Layout.KSERVE:
            files[manifest_path(workload)] = inference_yaml(workload, sizing)
        elif layout is Layout.MANIFEST:
            _manifest(files, workload, sizing)
    for members in kustomized.values():
        files |= _app(members)
    for claim in plan.claims:
        if claim.first_day <= day:
            path = claims_path(claim.namespace)
            files[path] = _document(files.get(path), claim_yaml(claim))
    files |= _models(alive, day)
    files |= _namespaces(alive)
    files |= _applications(alive)
    files |= infrastructure_files()
    files["CODEOWNERS"] = _code_owners([workload for workload, _ in alive])
    return files


def _code_owners(workloads: Sequence[Workload]) -> str:
    """Who reviews what: each app's team, and of plain manifests the team of each file."""
    lines = {
        f"/{_owned(workload)} @halden/{TEAMS[workload.spec.team].name}" for workload in workloads
    }
    return "\n".join(["* @halden/platform-sre", *sorted(lines)]) + "\n"


def _owned(workload: Workload) -> str:
    if workload.spec.layout in KUSTOMIZE:
        return f"apps/{workload.spec.app}/"
    if workload.spec.layout is Layout.HELM:
        return f"charts/{workload.spec.name}/"
    return manifest_path(workload)


def _models(alive: Sequence[tuple[Workload, Sizing]], day: date) -> Files:
    """Cards of the models that somebody registered, and what trains the churn model."""
    monitored = {model.workload: model for model in MODELS}
    files: Files = {}
    for workload, _ in alive:
        model, spec = monitored.get(workload.resource), workload.spec
        if model is None and not spec.purpose:
            continue
        name = spec.name if model is None else model.name
        files[f"{CARDS}/{name}.yaml"] = card_yaml(
            name,
            workload.namespace,
            workload.resource,
            spec.team if model is None else model.owner,
            spec.purpose if model is None else model.purpose,
            "minimal" if model is None else model.risk_class,
        )
        if model is not None and model.name == "churn":
            until = declared_on(model.name, day, {})
            files[training_path()] = training_yaml(
                model.name, TRAINING, workload.namespace, model.owner, until
            )
    return files


def _document(existing: str | None, text: str) -> str:
    return text if existing is None else f"{existing}---\n{text}"


def _manifest(files: Files, workload: Workload, sizing: Sizing) -> None:
    path = manifest_path(workload)
    text = workload_yaml(workload, sizing, in_base=False, containers=sizing.containers)
    if workload.spec.kind in ("Deployment", "StatefulSet"):
        text += "---\n" + service_yaml(workload.spec.name, workload.namespace)
    files[path] = _document(files.get(path), text)
    if workload.spec.name == "partner-gateway":
        # Written on another system: every line ends in CR LF.
        files[path] = files[path].replace("\n", "\r\n")


def _app(members: Sequence[tuple[Workload, Sizing]]) -> Files:
    files: Files = {}
    base = base_folder(members[0][0])
    names: list[str] = []
    environments: dict[str, list[tuple[Workload, Sizing]]] = {}
    for workload, sizing in members:
        environments.setdefault(workload.environment, []).append((workload, sizing))
        if workload.spec.name in names:
            continue
        names.append(workload.spec.name)
        files[f"{base}/{workload.spec.name}.yaml"] = workload_yaml(
            replace(workload, claims=()),
            sizing,
            in_base=True,
            containers=_base_containers(workload, sizing),
        )
        files[f"{base}/{workload.spec.name}-service.yaml"] = service_yaml(workload.spec.name, None)
    listed = [f"  - {name}{suffix}.yaml" for name in names for suffix in ("", "-service")]
    files[f"{base}/kustomization.yaml"] = (
        "\n".join(
            [
                "apiVersion: kustomize.config.k8s.io/v1beta1",
                "kind: Kustomization",
                "resources:",
                *listed,
            ]
        )
        + "\n"
    )
    for environment, group in environments.items():
        files |= _overlay(environment, group)
    return files


def _base_containers(workload: Workload, sizing: Sizing) -> tuple[Container, ...]:
    if workload.spec.layout is Layout.SHARED_BASE:
        return sizing.containers
    # What a new environment starts with, before its overlay says better.
    return tuple(Container(c.name, 100, 128) for c in sizing.containers)


def _overlay(environment: str, group: Sequence[tuple[Workload, Sizing]]) -> Files:
    first = group[0][0]
    folder = overlay_folder(first)
    files: Files = {}
    extra: list[str] = []
    paths: list[str] = []
    inline: list[str] = []
    counts: list[str] = []
    for workload, sizing in group:
        name = workload.spec.name
        if workload.spec.layout is Layout.OVERLAY:
            paths.append(f"{name}-resources.yaml")
            files[f"{folder}/{paths[-1]}"] = patch_yaml(workload, sizing)
        elif workload.spec.layout is Layout.INLINE_PATCH:
            inline += inline_patch(workload, sizing)
        else:
            counts += [f"  - name: {name}", f"    count: {sizing.replicas}"]
        if sizing.hpa:
            extra.append(f"{name}-hpa.yaml")
            files[f"{folder}/{extra[-1]}"] = autoscaler_yaml(workload, *sizing.hpa)
        if environment == "prod" and (sizing.replicas > 2 or sizing.hpa):
            extra.append(f"{name}-pdb.yaml")
            files[f"{folder}/{extra[-1]}"] = disruption_budget_yaml(name)
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization"]
    lines += [f"namespace: {first.namespace}", "resources:", "  - ../../base"]
    lines += [f"  - {name}" for name in extra]
    lines += ["labels:", "  - pairs:", f"      environment: {environment}"]
    lines += ["    includeSelectors: false", "    includeTemplates: true"]
    if inline or paths:
        lines += ["patches:", *(f"  - path: {path}" for path in paths), *inline]
    if counts:
        lines += ["replicas:", *counts]
    files[f"{folder}/kustomization.yaml"] = "\n".join(lines) + "\n"
    return files


def _chart(workload: Workload, sizing: Sizing) -> Files:
    name, main = workload.spec.name, sizing.main
    folder = f"charts/{name}"
    team = TEAMS[workload.spec.team]
    values = [
        f"# {name} in production, owned by {team.name}",
        f"fullnameOverride: {name}",
        f"replicaCount: {sizing.replicas}",
        "labels:",
        f"  team: {team.name}",
        f"  business-unit: {team.business_unit}",
        f"  cost-center: {team.cost_center}",
        f"  environment: {workload.environment}",
        "resources:",
        "  requests:",
        f"    cpu: {cpu_text(main.cpu_millis, 0)}",
        f"    memory: {memory_text(main.memory_mib, 0)}",
    ]
    if main.cpu_limit_millis or main.memory_limit_mib:
        values.append("  limits:")
    if main.cpu_limit_millis:
        values.append(f"    cpu: {cpu_text(main.cpu_limit_millis, 0)}")
    if main.memory_limit_mib:
        values.append(f"    memory: {memory_text(main.memory_limit_mib, 0)}")
    return {
        f"{folder}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 0.4.2\n",
        f"{folder}/values.yaml": "replicaCount: 1\nresources: {}\nlabels: {}\n",
        f"{folder}/values-{workload.environment}.yaml": "\n".join(values) + "\n",
        f"{folder}/templates/deployment.yaml": _CHART_TEMPLATE.replace(
            "CONTAINER", workload.spec.container
        ),
    }


def _namespaces(alive: Iterable[tuple[Workload, Sizing]]) -> Files:
    seen: dict[str, tuple[str, str]] = {}
    gpus: dict[str, int] = {}
    for workload, sizing in alive:
        if workload.spec.layout is Layout.UNDECLARED:
            continue
        seen.setdefault(workload.namespace, (workload.spec.team, workload.environment))
        wanted = sum(c.gpus for c in sizing.containers) * sizing.replicas
        gpus[workload.namespace] = gpus.get(workload.namespace, 0) + wanted
    files: Files = {}
    for namespace, (owner, environment) in sorted(seen.items()):
        team = TEAMS[owner]
        text = (
            f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n  labels:\n"
            f"    team: {team.name}\n    business-unit: {team.business_unit}\n"
            f"    cost-center: {team.cost_center}\n    environment: {environment}\n"
        )
        if namespace in ML_NAMESPACES:
            files[f"ml/{namespace}/namespace.yaml"] = text + _quota(namespace, gpus[namespace])
        else:
            path = "manifests/namespaces.yaml"
            files[path] = _document(files.get(path), text)
    return files


def _quota(namespace: str, gpus: int) -> str:
    return (
        "---\napiVersion: v1\nkind: ResourceQuota\nmetadata:\n"
        f"  name: {namespace}-quota\n  namespace: {namespace}\nspec:\n  hard:\n"
        '    requests.cpu: "48"\n    requests.memory: "160Gi"\n    limits.memory: "220Gi"\n'
        '    pods: "40"\n    persistentvolumeclaims: "6"\n'
        f'    requests.nvidia.com/gpu: "{gpus + 1}"\n'
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n"
        f"  name: {namespace}-developers\n  namespace: {namespace}\nsubjects:\n"
        f"- kind: Group\n  name: '{namespace}-developers'\n"
        "  apiGroup: rbac.authorization.k8s.io\nroleRef:\n  kind: ClusterRole\n  name: edit\n"
        "  apiGroup: rbac.authorization.k8s.io\n"
    )


def _applications(alive: Iterable[tuple[Workload, Sizing]]) -> Files:
    """Argo CD: one Application for each overlay, chart and folder of manifests."""
    wanted: dict[tuple[str, str], str] = {}
    for workload, _ in alive:
        layout = workload.spec.layout
        cluster = workload.cluster.name
        if layout in KUSTOMIZE:
            name = f"{workload.spec.app}-{workload.environment}"
            wanted[cluster, name] = _application(name, overlay_folder(workload), workload)
        elif layout is Layout.HELM:
            name = f"{workload.spec.name}-{workload.environment}"
            wanted[cluster, name] = _application(
                name, f"charts/{workload.spec.name}", workload, values=True
            )
        elif layout is not Layout.UNDECLARED:
            folder = manifest_path(workload).rsplit("/", 1)[0]
            name = folder.replace("/", "-")
            wanted[cluster, name] = _application(name, folder, workload)
    return {
        f"clusters/{cluster}/{name}.yaml": text for (cluster, name), text in sorted(wanted.items())
    }


def _application(name: str, path: str, workload: Workload, *, values: bool = False) -> str:
    helm = (
        f"    helm:\n      releaseName: {workload.spec.name}\n"
        f"      valueFiles:\n      - values-{workload.environment}.yaml\n"
        if values
        else ""
    )
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n"
        f"  name: {name}\n  namespace: argocd\nspec:\n  project: default\n  source:\n"
        "    repoURL: https://git.halden.example/platform/gitops.git\n    targetRevision: main\n"
        f"    path: {path}\n{helm}  destination:\n"
        f"    name: {workload.cluster.name}\n    namespace: {workload.namespace}\n"
        "  syncPolicy:\n    automated: {prune: true, selfHeal: true}\n"
    )


_README = """# GitOps

What runs at Halden Group, by Argo CD from `main`.

- `apps/` Kustomize bases and overlays
- `manifests/` plain manifests, `ml/` model serving, `models/` cards of models
- `charts/` Helm charts and their values
- `terraform/`, `crossplane/`, `serverless/` what is not on Kubernetes
- `clusters/` the Argo CD Applications of each cluster
"""

_CHART_TEMPLATE = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Values.fullnameOverride }}
  labels: {{- toYaml .Values.labels | nindent 4 }}
spec:
  replicas: {{ .Values.replicaCount }}
  selector:
    matchLabels: {app.kubernetes.io/name: {{ .Values.fullnameOverride }}}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ .Values.fullnameOverride }}
    spec:
      containers:
      - name: CONTAINER
        image: registry.halden.example/{{ .Chart.Name }}:{{ .Chart.Version }}
        resources: {{- toYaml .Values.resources | nindent 10 }}
"""

CLUSTER_REGIONS = {cluster.name: cluster.region for cluster in CLUSTERS.values()}
