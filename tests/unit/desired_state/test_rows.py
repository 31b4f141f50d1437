"""Declared resources as rows: what a join needs, whatever the manifests hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from finops_dagster.desired_state.rows import identifier_rows, resource_rows
from finops_dagster.domain.decisions import DeclaredResource


def declared(manifest: Any, resource: str = "HelmRelease/flux/grafana") -> DeclaredResource:
    return DeclaredResource(
        resource=resource, api_version="v1", labels={}, annotations={}, file="a.yaml",
        document=0, manifest=json.dumps(manifest), owner="red", cloud_ids=("a", "b"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("manifest", "namespace"),
    [
        ({"kind": "HelmRelease", "spec": {"targetNamespace": "obs"}}, "obs"),
        ({"kind": "HelmRelease", "metadata": {"namespace": "flux"}, "spec": {}}, "flux"),
        (
            {
                "kind": "Application",
                "spec": {"source": {"chart": "x"}, "destination": {"namespace": "obs"}},
            },
            "obs",
        ),
        (
            {
                "kind": "Application",
                "spec": {"sources": [{"helm": {}}], "destination": {"namespace": "obs"}},
            },
            "obs",
        ),
        ({"kind": "Application", "spec": {"source": {"path": "apps"}, "destination": {}}}, None),
        ({"kind": "Deployment", "spec": {"replicas": 2}}, None),
        ({"kind": "HelmRelease", "spec": "text"}, None),
        ({"kind": "HelmRelease", "metadata": [], "spec": {"targetNamespace": 3}}, None),
        ([], None),
    ],
)
def test_charts_say_where_they_install(manifest: Any, namespace: str | None) -> None:
    """What a chart makes is not rendered: without its namespace it would pass for a shadow."""
    (found,) = resource_rows([declared(manifest)])["installs_into"]
    assert (found if isinstance(found, str) else None) == namespace


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ({"replicas": 0}, 0),
        ({"predictor": {"minReplicas": 3}}, 3),
        ({"replicas": "${N}"}, None),
        ({"replicas": True}, None),
        ({}, None),
    ],
)
def test_replicas_are_a_number_or_not_said(spec: Any, replicas: int | None) -> None:
    """A guess at a variable's value would call a running workload switched off."""
    (found,) = resource_rows([declared({"spec": spec})])["replicas"].tolist()
    assert (found if isinstance(found, int) else None) == replicas


def test_no_resources_have_the_same_columns() -> None:
    """An empty repository must not break the day."""
    assert list(resource_rows([]).columns) == list(resource_rows([declared({})]).columns)
    assert identifier_rows([]).empty
    assert identifier_rows([declared({})]).to_dict("list") == {
        "resource": ["HelmRelease/flux/grafana"] * 2,
        "identifier": ["a", "b"],
    }
