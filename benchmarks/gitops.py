"""What the last steps cost: a repository read, edits planned and proven, proposals judged.

Prints JSON with --json, else a table; progress goes to stderr. The repository is a bare one of so
many manifests: bases with an overlay for each of two environments and patches, comments and all.
Each step runs in a process of its own, so that its peak memory is its own. The floor of reading is
libyaml's loader (PyYAML) over the same bytes, that of judging the bare engine on the same inputs.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import processes

ROOT = Path(__file__).resolve().parents[1]
MANIFESTS = 10_000
EDITS = 50
EVALUATIONS = 100_000
KINDS_OF_INPUT = 1_000
"""So many different proposals are judged, again and again until there were enough."""

FLOOR_EVERY = 5
FILES_OF_AN_APP = 5
CPU = "spec.template.spec.containers[name=server].resources.requests.cpu"
MEMORY = "spec.template.spec.containers[name=server].resources.requests.memory"

_BASE = """# {name}: kept by hand
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{team: team-{team}, cost-center: cc-{team}}}
spec:
  replicas: 2   # as agreed
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
      - name: server
        image: registry.example/{name}:1.{team}.0
        ports: [{{containerPort: 8080}}]
        env:
        - {{name: LOG_LEVEL, value: info}}
        resources:
          requests:
            cpu: "2"    # measured once
            memory: 4Gi
          limits: {{memory: 4Gi}}
"""
_BASES = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml]
"""
_OVERLAY = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {name}-{environment}
resources:
  - ../../base
labels:
  - pairs: {{environment: {environment}}}
patches:
"""
_PATCHED = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: server
        resources:
          requests: {{cpu: 1500m}}   # seen in spring
"""
_INLINE = """  - target: {kind: Deployment}
    patch: |-
      - op: replace
        path: /spec/replicas
        value: 1
"""


def _files(manifests: int) -> Iterator[tuple[str, str]]:
    for number in range(manifests // FILES_OF_AN_APP):
        name, team = f"app-{number:05}", number % 40
        folder = f"team-{team}/{name}"
        prod = _OVERLAY.format(name=name, environment="prod")
        dev = _OVERLAY.format(name=name, environment="dev")
        yield f"{folder}/base/deployment.yaml", _BASE.format(name=name, team=team)
        yield f"{folder}/base/kustomization.yaml", _BASES
        yield f"{folder}/overlays/prod/kustomization.yaml", f"{prod}  - path: {name}-size.yaml\n"
        yield f"{folder}/overlays/prod/{name}-size.yaml", _PATCHED.format(name=name)
        yield f"{folder}/overlays/dev/kustomization.yaml", f"{dev}{_INLINE}"


def _create(folder: Path, manifests: int) -> dict[str, Any]:
    work = folder / "work"
    size = 0
    for name, text in _files(manifests):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        size += len(text)
    who = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*who, "commit", "-qm", "all")):
        subprocess.run(["git", "-C", str(work), *command], check=True)
    bare = str(folder / "estate.git")
    subprocess.run(["git", "clone", "-q", "--bare", str(work), bare], check=True)
    return {"bytes": size}


def _index(folder: Path) -> dict[str, Any]:
    from finops_dagster.desired_state import open_repository

    began = time.perf_counter()
    index = open_repository(folder / "estate.git")
    values = sum(1 for _ in index.locations())
    return {
        "seconds": time.perf_counter() - began,
        "resources": len(index.resources()),
        "values": values,
        "refused": len(index.refused()),
    }


def _edit(folder: Path, edits: int) -> dict[str, Any]:
    """Change sets one after the other: half where the value stands, half as a patch of its own."""
    from finops_dagster.desired_state import open_repository
    from finops_dagster.domain.decisions import ChangeSet
    from finops_dagster.gitops.changes import plan_change_set

    index = open_repository(folder / "estate.git")
    names = sorted(name for name in index.resources() if name.split("/")[1].endswith("-prod"))
    began = time.perf_counter()
    made = {"in_place": 0, "as_a_patch": 0}
    for number in range(edits):
        field, old, new = ((CPU, "1500m", "750m"), (MEMORY, "4Gi", "2Gi"))[number % 2]
        name = names[number * len(names) // edits]
        plan = plan_change_set(_proposal(name, field, old, new), index, ["**"])
        if not isinstance(plan, ChangeSet):
            raise SystemExit(f"{plan.subject}: {plan.reason}")
        made["in_place" if len(plan.edits) == 1 else "as_a_patch"] += 1
    return {"seconds": time.perf_counter() - began, **made}


def _load(folder: Path) -> dict[str, Any]:
    import yaml

    began = time.perf_counter()
    documents = 0
    for path in sorted((folder / "work").rglob("*.yaml")):
        documents += sum(1 for _ in yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))
    return {"seconds": time.perf_counter() - began, "documents": documents}


def _judge(folder: Path, evaluations: int) -> dict[str, Any]:
    """In turns with the floor, which needs fewer, so that neither has the quieter machine."""
    from finops_dagster.policy.bundle import VERDICT, RegoBundle
    from finops_dagster.policy.engine import compiled
    from finops_dagster.policy.inputs import proposal_input
    from finops_dagster.policy.judges import RegorusJudge

    bundle = RegoBundle.load(ROOT / "policies")
    judge = RegorusJudge(bundle)
    asked = [_asked(number) for number in range(KINDS_OF_INPUT)]
    documents = [json.dumps(proposal_input(one, context)) for one, context in asked]
    bare = compiled(bundle.policies, json.dumps(bundle.data))
    query = "data" + "".join(f"[{json.dumps(part)}]" for part in VERDICT.split(".")[1:])
    seconds, bare_seconds, bare_evaluations = 0.0, 0.0, 0
    verdicts: dict[str, int] = {}
    for turn in range(evaluations // KINDS_OF_INPUT):
        began = time.perf_counter()
        for one, context in asked:
            decision = judge.judge(one, context).decision.value
            if not turn:
                verdicts[decision] = verdicts.get(decision, 0) + 1
        seconds += time.perf_counter() - began
        if turn % FLOOR_EVERY:
            continue
        began = time.perf_counter()
        for document in documents:
            bare.set_input_json(document)
            bare.eval_query_as_json(query)
        bare_seconds += time.perf_counter() - began
        bare_evaluations += KINDS_OF_INPUT
    done = evaluations // KINDS_OF_INPUT * KINDS_OF_INPUT
    return {
        "evaluations": done,
        "seconds": seconds,
        "per_second": done / seconds,
        "verdicts": verdicts,
        "floor": {
            "evaluations": bare_evaluations,
            "seconds": bare_seconds,
            "per_second": bare_evaluations / bare_seconds,
        },
    }


def _asked(number: int) -> tuple[Any, dict[str, Any]]:
    """A proposal, and what policy is told beside it."""
    name = f"app-{number:05}"
    labels = {"team": f"team-{number % 40}", "environment": "prod", "cost-center": "cc"}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": f"{name}-prod", "labels": labels},
        "spec": {
            "replicas": 1 + number % 5,
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "server",
                            "resources": {"requests": {"cpu": "1500m", "memory": "4Gi"}},
                        }
                    ]
                }
            },
        },
    }
    resource = {
        "kind": "Deployment", "namespace": f"{name}-prod", "name": name, "labels": labels,
        "annotations": {}, "manifest": manifest,
    }  # fmt: skip
    context = {
        "resource": resource,
        "environment": "prod",
        "team": labels["team"],
        "spend": {
            "team_forecast": "4000", "team_month_to_date": "1500", "currency": "USD",
            "resource_forecast": "120", "resource_month_to_date": "40",
        },
    }  # fmt: skip
    new = ("750m", "1000m", "200m")[number % 3]
    return _proposal(f"Deployment/{name}-prod/{name}", CPU, "1500m", new), context


def _proposal(resource: str, field: str, current: str, proposed: str) -> Any:
    from finops_dagster.domain.decisions import Evidence, FindingKind, Proposal
    from finops_dagster.domain.ids import content_id
    from finops_dagster.domain.money import MoneyRange, Range

    return Proposal(
        finding_id="finding-1",
        key=content_id("key", {"resource": resource, "field": field}),
        kind=FindingKind.RIGHTSIZE_CPU if field == CPU else FindingKind.RIGHTSIZE_MEMORY,
        resource=resource, field=field, current=current, proposed=proposed,
        owner="team-1", environment="prod",
        saving_per_month=MoneyRange(
            low=Decimal(20), mid=Decimal(25), high=Decimal(30), currency="USD"
        ),
        carbon_kg_per_month=Range(low=1, mid=2, high=3), risk=0.01, confidence=0.99,
        evidence=Evidence(
            window_start=datetime(2026, 4, 19, tzinfo=UTC),
            window_end=datetime(2026, 5, 3, tzinfo=UTC),
            samples=4032, figures={"p95_cores": 0.4, "max_gib": 1.2},
        ),
        reason="It used 0.4 cores at most.", reconstructed=False,
        publication_id="publication-1", as_of=date(2026, 5, 3),
    )  # fmt: skip


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "create": _create,
    "index": _index,
    "edit": _edit,
    "load": _load,
    "judge": _judge,
}


def measure(manifests: int, edits: int, evaluations: int) -> dict[str, Any]:
    """The promised object; see the module for what is measured."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:

        def step(name: str, **arguments: Any) -> dict[str, Any]:
            print(f"{name} {arguments or ''}".strip(), file=sys.stderr)
            return processes.in_a_process(__file__, name, folder=folder, **arguments)

        made = step("create", manifests=manifests)
        index, load = step("index"), step("load")
        edit = step("edit", edits=edits)
        judge = step("judge", evaluations=evaluations)
    bare = judge.pop("floor")
    edit["milliseconds_each"] = edit["seconds"] / edits * 1_000
    index["manifests_per_second"] = manifests / index["seconds"]
    judge["ratio_to_floor"] = bare["per_second"] / judge["per_second"]
    return {
        "benchmark": "gitops",
        "machine": f"{platform.machine()} {platform.system()} Python {platform.python_version()}",
        "inputs": {
            "manifests": manifests, "bytes": made["bytes"], "edits": edits,
            "evaluations": judge["evaluations"],
        },
        "seconds": time.perf_counter() - began,
        "peak_rss_bytes": max(one["peak_rss_bytes"] for one in (index, edit, judge)),
        "ours": {"index": index, "edit": edit, "policy": judge},
        "baselines": {},
        "floor": {"load": load, "policy": bare},
        "ratio_to_floor": index["seconds"] / load["seconds"],
    }  # fmt: skip


def _table(result: dict[str, Any]) -> str:
    ours, floor = result["ours"], result["floor"]
    rows = [
        ("", "seconds", "rate", "peak MiB", "floor, seconds"),
        (
            f"index {result['inputs']['manifests']:,} manifests",
            f"{ours['index']['seconds']:.1f}",
            f"{ours['index']['manifests_per_second']:,.0f} a second",
            f"{ours['index']['peak_rss_bytes'] / 2**20:,.0f}",
            f"{floor['load']['seconds']:.1f}",
        ),
        (
            f"plan and prove {result['inputs']['edits']:,} edits",
            f"{ours['edit']['seconds']:.1f}",
            f"{ours['edit']['milliseconds_each']:,.0f} ms each",
            f"{ours['edit']['peak_rss_bytes'] / 2**20:,.0f}",
            "",
        ),
        (
            f"judge {result['inputs']['evaluations']:,} proposals",
            f"{ours['policy']['seconds']:.1f}",
            f"{ours['policy']['per_second']:,.0f} a second",
            f"{ours['policy']['peak_rss_bytes'] / 2**20:,.0f}",
            f"{result['inputs']['evaluations'] / floor['policy']['per_second']:.1f}",
        ),
    ]
    return "\n".join(f"{a:<32}{b:>9}{c:>18}{d:>10}{e:>16}" for a, b, c, d, e in rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", type=int, default=MANIFESTS)
    parser.add_argument("--edits", type=int, default=EDITS)
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        step = STEPS[arguments.child.pop("step")]
        folder = Path(arguments.child.pop("folder"))
        print(json.dumps(step(folder, **arguments.child)))
        return
    result = measure(arguments.manifests, arguments.edits, arguments.evaluations)
    print(json.dumps(result) if arguments.json else _table(result))


if __name__ == "__main__":
    main()
