"""Declared resources as rows, for joining them with what is billed and measured.

Which row is which resource is told by the rules of the warehouse.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from finops_dagster.domain.decisions import DeclaredResource


def resource_rows(resources: Iterable[DeclaredResource]) -> pd.DataFrame:
    """One row per declared resource.

    Columns resource, kind, namespace, name, api_version, installs_into, owner, environment,
    region, file (text; null where nothing is said) and replicas (nullable integer).
    """
    rows = []
    for one in resources:
        kind, namespace, name = one.resource.split("/", 2)
        manifest = json.loads(one.manifest)
        rows.append(
            (
                one.resource, kind, namespace, name, one.api_version, _installs_into(manifest),
                one.owner, one.environment, one.region, one.file, _replicas(manifest),
            )
        )  # fmt: skip
    columns = (
        "resource", "kind", "namespace", "name", "api_version", "installs_into", "owner",
        "environment", "region", "file", "replicas",
    )  # fmt: skip
    text = dict.fromkeys(columns[:-1], "string")
    return pd.DataFrame(rows, columns=columns).astype({**text, "replicas": "Int64"})


def identifier_rows(resources: Iterable[DeclaredResource]) -> pd.DataFrame:
    """One row per identifier that a bill would carry; columns resource and identifier (text)."""
    rows = [(one.resource, identifier) for one in resources for identifier in one.cloud_ids]
    return pd.DataFrame(rows, columns=("resource", "identifier")).astype("string")


def _installs_into(manifest: Any) -> str | None:
    """Namespace that a Helm release or an application with a chart installs into, else None.

    What a chart makes is not rendered, so what runs there may well be declared.
    """
    if not isinstance(manifest, dict) or not isinstance(manifest.get("spec"), dict):
        return None
    spec, kind = manifest["spec"], manifest.get("kind")
    namespace = None
    if kind == "HelmRelease":
        metadata = manifest.get("metadata")
        own = metadata.get("namespace") if isinstance(metadata, dict) else None
        namespace = spec.get("targetNamespace") or own
    elif kind == "Application":
        sources = spec.get("sources") or [spec.get("source")]
        destination = spec.get("destination")
        if isinstance(destination, dict) and any(
            isinstance(source, dict) and ("helm" in source or "chart" in source)
            for source in sources
        ):
            namespace = destination.get("namespace")
    return namespace if isinstance(namespace, str) and namespace else None


def _replicas(manifest: Any) -> int | None:
    spec = manifest.get("spec") if isinstance(manifest, dict) else None
    if not isinstance(spec, dict):
        return None
    predictor = spec.get("predictor")
    wanted = spec.get("replicas")
    if wanted is None and isinstance(predictor, dict):
        wanted = predictor.get("minReplicas")
    return wanted if isinstance(wanted, int) and not isinstance(wanted, bool) else None
