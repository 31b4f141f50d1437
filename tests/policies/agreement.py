"""Gatekeeper's library against our bundle: its samples, what its suites expect, our limits for it.

What a policy of the library means here is written down once, below; the comparison is computed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Decision
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.documents import read_documents
from finops_dagster.policy.inputs import manifest_input
from finops_dagster.policy.judges import RegorusJudge

Limits = dict[str, dict[str, Any]]
"""Topic -> limits that replace those of the bundle's defaults."""

_QUANTITY = re.compile(r"([0-9.]+)(m|[kMGTPE]i?)?\Z")
_UNITS = {"m": Decimal("0.001")} | {
    f"{letter}{i}": Decimal(1024 if i else 1000) ** power
    for power, letter in enumerate("kMGTPE", start=1)
    for i in ("", "i")
}
_UNITS["Ki"] = _UNITS["ki"]


class NotComparableError(Exception):
    """Parameters that no limits of ours can say; the message says which."""


@dataclass(frozen=True)
class Meaning:
    """Which of our rules mean the same, and how a constraint's parameters become limits."""

    rules: frozenset[str]
    topic: str
    limits: Callable[[Mapping[str, Any], list[str]], dict[str, Any]]
    """(parameters, kinds matched) -> limits of the topic. Raises NotComparableError."""


def _amount(text: Any) -> float:
    found = _QUANTITY.match(str(text))
    if found is None:
        raise NotComparableError(f"{text!r} is no quantity")
    return float(Decimal(found.group(1)) * _UNITS.get(found.group(2) or "", Decimal(1)))


def _labels(parameters: Mapping[str, Any], kinds: list[str]) -> dict[str, Any]:
    asked = parameters.get("labels", [])
    keys = [each["key"] for each in asked]
    return {
        "decision": "deny",
        "kinds": dict.fromkeys(kinds, keys),
        "keys": {key: [key] for key in keys},
        "other_billed": [],
        "placeholders": [],
        "patterns": {e["key"]: e["allowedRegex"] for e in asked if e.get("allowedRegex")},
    }


def _no_containers() -> dict[str, Any]:
    return {
        "decision": "deny",
        "required_requests": [],
        "required_limits": [],
        "max_requests": {},
        "max_limits": {},
        "max_ratios": {},
    }


def _ceiling(side: str) -> Callable[[Mapping[str, Any], list[str]], dict[str, Any]]:
    def limits(parameters: Mapping[str, Any], _: list[str]) -> dict[str, Any]:
        amounts = {
            name: _amount(parameters[name])
            for name in ("cpu", "memory", "ephemeral-storage")
            if str(parameters.get(name, "-1")) != "-1"
        }
        return _no_containers() | {f"required_{side}": list(amounts), f"max_{side}": amounts}

    return limits


def _required(parameters: Mapping[str, Any], _: list[str]) -> dict[str, Any]:
    return _no_containers() | {
        "required_requests": parameters.get("requests", []),
        "required_limits": parameters.get("limits", []),
    }


def _ratios(parameters: Mapping[str, Any], _: list[str]) -> dict[str, Any]:
    memory = float(parameters["ratio"])
    both = ["cpu", "memory"]
    return _no_containers() | {
        "required_requests": both,
        "required_limits": both,
        "max_ratios": {"memory": memory, "cpu": float(parameters.get("cpuRatio", memory))},
    }


def _range(parameters: Mapping[str, Any]) -> tuple[int, int]:
    ranges = parameters.get("ranges", [])
    if len(ranges) != 1:
        raise NotComparableError("several ranges: ours is one")
    return int(ranges[0]["min_replicas"]), int(ranges[0]["max_replicas"])


def _replicas(parameters: Mapping[str, Any], _: list[str]) -> dict[str, Any]:
    low, high = _range(parameters)
    return {"min_replicas": low, "max_replicas": high, "replicas_decision": "deny"}


def _autoscaler(parameters: Mapping[str, Any], _: list[str]) -> dict[str, Any]:
    low, high = _range(parameters)
    return {
        "autoscaler_min_replicas": low,
        "autoscaler_max_replicas": high,
        "autoscaler_min_spread": int(parameters.get("minimumReplicaSpread", 0)),
        "autoscaler_target_wanted": bool(parameters.get("enforceScaleTargetRef", False)),
        "autoscaler_decision": "deny",
    }


def _classes(parameters: Mapping[str, Any], _: list[str]) -> dict[str, Any]:
    allowed = [re.escape(name) for name in parameters.get("allowedStorageClasses", [])]
    return {
        "decision": "deny",
        "named": True,
        "declared": not allowed,
        "allowed": allowed,
        "refused": [],
    }


def _service(kind: str) -> Callable[[Mapping[str, Any], list[str]], dict[str, Any]]:
    return lambda _, __: {"decision": "deny", "refused_types": [kind]}


_CONTAINERS = frozenset({"containers.required", "containers.ceiling", "containers.unreadable"})
MEANINGS = {
    "K8sRequiredLabels": Meaning(frozenset({"labels.required"}), "labels", _labels),
    "K8sContainerLimits": Meaning(_CONTAINERS, "containers", _ceiling("limits")),
    "K8sContainerRequests": Meaning(_CONTAINERS, "containers", _ceiling("requests")),
    "K8sContainerEphemeralStorageLimit": Meaning(_CONTAINERS, "containers", _ceiling("limits")),
    "K8sRequiredResources": Meaning(
        frozenset({"containers.required", "containers.unreadable"}), "containers", _required
    ),
    "K8sContainerRatios": Meaning(
        frozenset({"containers.ratio", "containers.required", "containers.unreadable"}),
        "containers",
        _ratios,
    ),
    "K8sReplicaLimits": Meaning(frozenset({"availability.replicas"}), "availability", _replicas),
    "K8sHorizontalPodAutoscaler": Meaning(
        frozenset(
            {
                "availability.autoscaler_bounds",
                "availability.autoscaler_range",
                "availability.autoscaler_target",
            }
        ),
        "availability",
        _autoscaler,
    ),
    "K8sPodDisruptionBudget": Meaning(
        frozenset({"availability.disruption_blocked", "availability.disruption_below"}),
        "availability",
        lambda _, __: {"disruption_decision": "deny"},
    ),
    "K8sStorageClass": Meaning(frozenset({"storage.class"}), "storage_classes", _classes),
    "K8sBlockLoadBalancer": Meaning(
        frozenset({"network.service_type"}), "services", _service("LoadBalancer")
    ),
    "K8sBlockNodePort": Meaning(
        frozenset({"network.service_type"}), "services", _service("NodePort")
    ),
}

_IMAGES = "where images come from is supply-chain security, not cost"
_ACCESS = "who may do what in the cluster is access control, not cost"
_TRAFFIC = "what an Ingress lets through is network security, not cost"
NOT_OURS = {
    "K8sAllowedRepos": _IMAGES,
    "K8sAllowedReposv2": _IMAGES,
    "K8sDisallowedRepos": _IMAGES,
    "K8sDisallowedTags": _IMAGES,
    "K8sImageDigests": _IMAGES,
    "K8sPSPAutomountServiceAccountTokenPod": _ACCESS,
    "K8sBlockEndpointEditDefaultRole": _ACCESS,
    "K8sDisallowAnonymous": _ACCESS,
    "NoUpdateServiceAccount": _ACCESS,
    "K8sBlockWildcardIngress": _TRAFFIC,
    "K8sExternalIPs": _TRAFFIC,
    "K8sHttpsOnly": _TRAFFIC,
    "K8sDisallowInteractiveTTY": "how containers are run is workload security, not cost",
    "K8sRequiredAnnotations": "whose a resource is, labels say here: bills carry labels and tags",
    "K8sRequiredProbes": "whether a pod works is its team's, and no figure of ours tells",
    "K8sUniqueIngressHost": "compares all of a cluster's Ingresses: correctness, not cost",
    "K8sUniqueServiceSelector": "compares all of a cluster's Services: correctness, not cost",
    "VerifyDeprecatedAPI": "what the next cluster version still serves is an upgrade's, not cost",
}


@dataclass(frozen=True, eq=False)
class Case:
    """One sample of the library with what its suite expects of it."""

    policy: str
    constraint: str
    name: str
    violated: bool
    manifest: dict[str, Any]
    inventory: tuple[dict[str, Any], ...]
    parameters: Mapping[str, Any]
    kinds: tuple[str, ...]


def cases(library: Path) -> list[Case]:
    """Every case of every suite under `library`, in order."""
    found = []
    for suite in sorted(library.rglob("suite.yaml")):
        for test in _one(suite)["tests"]:
            constraint = _one(suite.parent / test["constraint"])
            spec = constraint.get("spec") or {}
            match = (spec.get("match") or {}).get("kinds", [])
            for case in test["cases"]:
                violations = str(case["assertions"][0]["violations"])
                found.append(
                    Case(
                        policy=suite.parent.name,
                        constraint=constraint["kind"],
                        name=f"{test['name']}/{case['name']}",
                        violated=violations.lower() not in {"no", "false", "0"},
                        manifest=_one(suite.parent / case["object"]),
                        inventory=tuple(
                            _one(suite.parent / file) for file in case.get("inventory", [])
                        ),
                        parameters=spec.get("parameters") or {},
                        kinds=tuple(kind for each in match for kind in each["kinds"]),
                    )
                )
    return found


def _one(file: Path) -> dict[str, Any]:
    content = read_documents(file)[0].content
    assert isinstance(content, dict), file
    return content


def violates(case: Case, bundle: RegoBundle) -> bool:
    """Whether our rules of the same meaning deny the sample. Raises NotComparableError.

    What the suite calls inventory is what stands beside the sample.
    """
    meaning = MEANINGS[case.constraint]
    block = bundle.data["limits"][meaning.topic]
    ours = meaning.limits(case.parameters, list(case.kinds))
    topic = {meaning.topic: block | {"defaults": block["defaults"] | ours}}
    data = {**bundle.data, "limits": bundle.data["limits"] | topic}
    document = manifest_input(case.manifest, case.name)
    document["context"]["neighbours"] = list(case.inventory)
    verdict = RegorusJudge(bundle.with_data(data)).judge_document(document, case.name)
    return any(
        rule.id in meaning.rules and rule.decision is Decision.DENY for rule in verdict.rules
    )


def table(library: list[Case], says: Callable[[Case], bool]) -> str:
    """The table of docs/policy-agreement.md; `says` is whether our rules deny a case."""
    rows = ["| policy of the library | our rules | agrees on |", "|---|---|---|"]
    by_policy: dict[str, list[Case]] = {}
    for case in library:
        by_policy.setdefault(case.policy, []).append(case)
    for policy, group in by_policy.items():
        kind = group[0].constraint
        if kind in MEANINGS:
            rules = ", ".join(f"`{id_}`" for id_ in sorted(MEANINGS[kind].rules))
            agreed = sum(says(case) == case.violated for case in group)
            rows.append(f"| {policy} | {rules} | {agreed} of {len(group)} samples |")
        else:
            rows.append(f"| {policy} | none: {NOT_OURS[kind]} | |")
    return "\n".join(rows) + "\n"
