"""The shapes in which other people's policies read a manifest.

Pure rearrangement: nothing is judged and no Rego is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from finops_dagster.policy.inputs import mapping

Shape = Callable[[Mapping[str, Any], Mapping[str, Any]], list[dict[str, Any]]]
"""(manifest, parameters) -> the documents a policy is asked about."""

_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(|[kMGT]|[KMGT]i|MB|MiB)\Z")
_MEBIBYTE = Decimal(1024**2)
_TO_MIB = {
    "": Decimal(1),
    "MB": Decimal(1),
    "MiB": Decimal(1),
    "k": Decimal(10**3) / _MEBIBYTE,
    "M": Decimal(10**6) / _MEBIBYTE,
    "G": Decimal(10**9) / _MEBIBYTE,
    "T": Decimal(10**12) / _MEBIBYTE,
    "Ki": Decimal(1024) / _MEBIBYTE,
    "Mi": Decimal(1),
    "Gi": Decimal(1024),
    "Ti": Decimal(1024**2),
}
_FUNCTION_GROUPS = ("lambda", "cloudfunction", "openfaas", "functions")


def admission(manifest: Mapping[str, Any], _: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An AdmissionReview of creating the object, and one of each pod it makes.

    https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
    """
    return [
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": _request(each),
        }
        for each in _with_pods(manifest)
    ]


def review(manifest: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What Gatekeeper gives a ConstraintTemplate: the request as review, and the parameters.

    https://open-policy-agent.github.io/gatekeeper/website/docs/constrainttemplates
    """
    return [
        {"review": _request(each), "parameters": dict(parameters)} for each in _with_pods(manifest)
    ]


def bare(manifest: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The manifest itself, and the function it declares in the plain form of one.

    Memory of a ServerlessFunction is a number of MiB there: a text is greater than any number in
    Rego, so that `spec.memory > 512` would call every text too much.
    """
    given = dict(manifest)
    function = _function(given)
    if function is None:
        return [given]
    return [function] if given.get("kind") == "ServerlessFunction" else [given, function]


SHAPES: dict[str, Shape] = {"request": admission, "review": review, "manifest": bare}


def _request(manifest: dict[str, Any]) -> dict[str, Any]:
    group, _, version = str(manifest.get("apiVersion", "")).rpartition("/")
    kind = str(manifest.get("kind", ""))
    meta = mapping(manifest.get("metadata"))
    named = {"group": group, "version": version, "kind": kind}
    return {
        "uid": "",
        "kind": named,
        "requestKind": named,
        "resource": {"group": group, "version": version, "resource": _plural(kind.lower())},
        "name": meta.get("name", ""),
        "namespace": meta.get("namespace", ""),
        "operation": "CREATE",
        "userInfo": {"username": "", "groups": []},
        "object": manifest,
        "oldObject": None,
        "dryRun": True,
    }


def _plural(kind: str) -> str:
    if kind.endswith("y") and kind[-2:-1] not in "aeiou":
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith(("s", "x", "ch", "sh")) else f"{kind}s"


def _with_pods(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The object, and the Pod of its template: an admission webhook sees both."""
    spec = mapping(manifest.get("spec"))
    template = mapping(
        mapping(mapping(spec.get("jobTemplate")).get("spec")).get("template")
        or spec.get("template")
    )
    pod = mapping(template.get("spec"))
    if not isinstance(pod.get("containers"), list):
        return [dict(manifest)]
    owner = mapping(manifest.get("metadata"))
    meta = mapping(template.get("metadata"))
    if isinstance(owner.get("namespace"), str):
        meta.setdefault("namespace", owner["namespace"])
    meta.setdefault("generateName", f"{owner.get('name', '')}-")
    # A controller's pods say so: they are no pods that somebody made by hand.
    made_by = {key: manifest.get(key, "") for key in ("apiVersion", "kind")}
    named = {"name": owner.get("name", ""), "controller": True}
    meta.setdefault("ownerReferences", [made_by | named])
    # Who prints the name of a pod would be silent about one that has none yet.
    meta.setdefault("name", owner.get("name", ""))
    return [dict(manifest), {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod}]


def _function(manifest: dict[str, Any]) -> dict[str, Any] | None:
    kind, spec = manifest.get("kind"), mapping(manifest.get("spec"))
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    if kind == "Function" and any(name in group for name in _FUNCTION_GROUPS):
        provider = mapping(spec.get("forProvider"))
        memory = next(
            (
                value
                for value in (
                    provider.get("memorySize"),
                    provider.get("availableMemoryMb"),
                    spec.get("memorySize"),
                    mapping(spec.get("limits")).get("memory"),
                )
                if value is not None
            ),
            None,
        )
    elif kind == "ServerlessFunction":
        memory = spec.get("memory")
    else:
        return None
    if memory is None:
        return dict(manifest) | {"kind": "ServerlessFunction"}
    return dict(manifest) | {
        "kind": "ServerlessFunction",
        "spec": spec | {"memory": _mebibytes(memory)},
    }


def _mebibytes(value: Any) -> Any:
    """MiB as a number; what is no amount stays as it is, for the policy to stumble over."""
    found = _AMOUNT.match(value) if isinstance(value, str) else None
    if found is None:
        return value
    amount = Decimal(found.group(1)) * _TO_MIB[found.group(2)]
    return int(amount) if amount == int(amount) else float(amount)
