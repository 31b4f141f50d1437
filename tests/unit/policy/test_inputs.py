"""The input document: the manifest as the change leaves it, and nothing that JSON cannot say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Decision, DeclaredResource, Proposal, Rung
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.inputs import manifest_input, plain, proposal_input
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.policy.paths import changed

MANIFEST = {
    "metadata": {"labels": {"a.b/c": "old"}},
    "spec": {
        "replicas": 2,
        "paused": False,
        "containers": [{"name": "x"}, {"name": "s.1", "resources": {"requests": {"cpu": "1"}}}],
        "rules": [{"v": 1.5}],
    },
}


@pytest.mark.parametrize(
    ("field", "value", "at", "expected"),
    [
        ("spec.replicas", "5", ("spec", "replicas"), 5),
        ("/spec/replicas", "5", ("spec", "replicas"), 5),
        ("spec.paused", "true", ("spec", "paused"), True),
        ("spec.rules[0].v", "2.25", ("spec", "rules", 0, "v"), 2.25),
        (
            "spec.containers[name=s.1].resources.requests.cpu",
            "250m",
            ("spec", "containers", 1, "resources", "requests", "cpu"),
            "250m",
        ),
        (
            "spec.containers[1].resources.requests.cpu",
            "2",
            ("spec", "containers", 1, "resources", "requests", "cpu"),
            "2",
        ),
        (
            "spec.containers[name=x].resources.requests.memory",
            "1Gi",
            ("spec", "containers", 0, "resources", "requests", "memory"),
            "1Gi",
        ),
        ('metadata.labels["a.b/c"]', "new", ("metadata", "labels", "a.b/c"), "new"),
        ("metadata.labels.a.b/c", "new", ("metadata", "labels", "a.b/c"), "new"),
        ("/metadata/labels/a.b~1c", "new", ("metadata", "labels", "a.b/c"), "new"),
    ],
)
def test_change_is_tried_on_a_copy(
    field: str, value: str, at: tuple[str | int, ...], expected: Any
) -> None:
    """Harm: policy judges the resource as it was, or the caller's manifest is altered."""
    before = json.dumps(MANIFEST)
    after: Any = changed(MANIFEST, field, value)
    for step in at:
        after = after[step]
    assert after == expected
    assert type(after) is type(expected)
    assert json.dumps(MANIFEST) == before


@pytest.mark.parametrize(
    "field",
    [
        "",
        "spec.containers[name=y].image",
        "spec.containers[7].image",
        "spec.replicas.deeper",
        "spec.containers.name",
        "spec[",
        "other.list[0].x",
        'spec["unclosed',
    ],
)
def test_paths_that_lead_nowhere(field: str) -> None:
    """Harm: a change that was not tried passes for one that was."""
    assert changed(MANIFEST, field, "1") is None


def test_empty_value_takes_the_field_away() -> None:
    """Harm: a removal is judged as an empty text."""
    after = changed(MANIFEST, "spec.replicas", "")
    assert after is not None
    assert "replicas" not in after["spec"]
    assert changed(MANIFEST, "spec.nothing", "") is None


def test_proposal_document(propose: Callable[..., Proposal], context: dict[str, Any]) -> None:
    """Harm: rules read a field that the document does not have, and stay silent."""
    document = proposal_input(propose(), context)
    assert document["resource"]["changed"] is True
    (container,) = document["resource"]["manifest"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == "500m"
    assert document["context"]["spend"]["team_forecast"] == "1000"
    assert document["proposal"]["saving_per_month"]["mid"] == "20"
    assert document["proposal"]["id"] == propose().id == document["subject"]
    schema = Path(__file__).parents[3] / "policies" / "schema" / "input.json"
    jsonschema.validate(document, json.loads(schema.read_text()))


def test_declared_resource_as_it_comes(
    propose: Callable[..., Proposal], context: dict[str, Any]
) -> None:
    """Harm: the index hands its manifest over as JSON text, and policy sees no manifest."""
    resource = context["resource"]
    declared = DeclaredResource(
        resource="Deployment/shop/checkout",
        api_version="apps/v1",
        labels=resource["labels"],
        annotations={},
        file="a.yaml",
        document=0,
        manifest=json.dumps(resource["manifest"]),
    )
    document = proposal_input(propose(), context | {"resource": declared})
    assert document["resource"]["kind"] == "Deployment"
    assert document["resource"]["changed"] is True


def test_environment_of_the_proposal_stands_in(propose: Callable[..., Proposal]) -> None:
    """Harm: a production change is judged by the defaults because the context is thin."""
    assert proposal_input(propose(environment="prod"), {})["environment"] == "prod"
    assert proposal_input(propose(), {"environment": "dev"})["environment"] == "dev"


def test_plain_values() -> None:
    """Harm: a NaN figure is compared with a limit, or breaks the run."""
    assert plain({1: math.nan, "a": math.inf, "b": Decimal("1.50"), "c": date(2026, 1, 2)}) == {
        "1": None,
        "a": None,
        "b": "1.50",
        "c": "2026-01-02",
    }
    assert plain((1, {3, 2}, b"x")) == [1, [2, 3], "x"]
    with pytest.raises(TypeError):
        plain(object())


def test_figure_that_is_not_finite_is_unknown(
    bundle: RegoBundle, propose: Callable[..., Proposal], context: dict[str, Any]
) -> None:
    """Harm: nobody measured, NaN compares with nothing, and the cut is allowed."""
    verdict = RegorusJudge(bundle).judge(propose(figures={"p95_cores": math.nan}), context)
    assert verdict.decision is Decision.DENY
    assert verdict.rules[0].id == "sizing.headroom_unknown"


def test_change_that_cannot_be_tried_is_denied(
    bundle: RegoBundle, propose: Callable[..., Proposal], context: dict[str, Any]
) -> None:
    """Harm: a value that the resource does not have is proposed to be changed."""
    field = "spec.template.spec.containers[name=worker].resources.requests.cpu"
    verdict = RegorusJudge(bundle).judge(propose(field=field), context)
    assert verdict.rules[0].id == "change.applied"
    assert verdict.decision is Decision.DENY


def test_the_changed_manifest_is_what_rules_see(
    bundle: RegoBundle, propose: Callable[..., Proposal], context: dict[str, Any]
) -> None:
    """Harm: a proposal to move to an expensive GPU is judged by the type that it leaves."""
    spec = context["resource"]["manifest"]["spec"]["template"]["spec"]
    spec["nodeSelector"] = {"node.kubernetes.io/instance-type": "g4dn.xlarge"}
    field = 'spec.template.spec.nodeSelector["node.kubernetes.io/instance-type"]'
    change = propose("-100", field=field, current="g4dn.xlarge", proposed="p4d.24xlarge")
    verdict = RegorusJudge(bundle).judge(change, context)
    assert verdict.decision is Decision.DENY
    assert verdict.rules[0].id == "compute.gpu_budget"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "true", "p4d.24xlarge", "512Mi", "In", "a/b", "\x00", "🦀"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metadata",
                    "labels",
                    "annotations",
                    "spec",
                    "template",
                    "jobTemplate",
                    "memory",
                    "containers",
                    "resources",
                    "limits",
                    "nodeSelector",
                    "accelerator",
                    "forProvider",
                    "tags",
                    "key",
                    "operator",
                    "values",
                    "instanceType",
                    "team",
                    "matchLabels",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)
KINDS = st.sampled_from(["Pod", "Deployment", "CronJob", "ServerlessFunction", "Function", "X"])
VERSIONS = st.sampled_from(["v1", "apps/v1", "lambda.aws.upbound.io/v1", "serving.knative.dev/v1"])


@given(kind=KINDS, version=VERSIONS | JSON, meta=JSON, spec=JSON)
def test_no_manifest_breaks_the_engine(
    bundle: RegoBundle, kind: str, version: Any, meta: Any, spec: Any
) -> None:
    """Harm: a field of a type nobody thought of fails a rule, and a sound manifest is denied."""
    manifest = {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}
    verdict = _judge(bundle).judge_manifest(manifest, "f#0")
    assert not {"policy.engine", "policy.input", "policy.rule_unevaluable"} & {
        rule.id for rule in verdict.rules
    }, verdict.rules


@given(spend=JSON, labels=JSON, current=st.text(max_size=8), proposed=st.text(max_size=8))
def test_no_context_breaks_the_engine(
    bundle: RegoBundle, spend: Any, labels: Any, current: str, proposed: str
) -> None:
    """Harm: an odd context makes the engine fail where a rule should have said what is wrong."""
    document = manifest_input({"kind": "Deployment"}, "s")
    document["context"] = {"spend": plain(spend)}
    document["resource"]["namespace_labels"] = plain(labels)
    document["proposal"] = {
        "field": "a.requests.cpu",
        "current": current,
        "proposed": proposed,
        "saving_per_month": {"mid": "-1", "currency": "USD"},
        "evidence": {"figures": {"p95_cores": 0.1}},
    }
    verdict = _judge(bundle).judge_document(document, "s")
    assert verdict.decision is Decision.DENY
    assert "policy.engine" not in {rule.id for rule in verdict.rules}, verdict.rules


CONTEXT = st.dictionaries(
    st.sampled_from(
        ["team", "now", "ceiling", "budget", "day", "resources", "capacity", "record", "model"]
    ),
    JSON
    | st.dictionaries(
        st.sampled_from(
            ["currency", "amount", "spent", "forecast", "moved", "team_moved", "cores", "merged"]
            + ["reverts", "realised_ratio", "low", "team", "before", "after"]
        ),
        JSON | st.just("USD") | st.dictionaries(st.sampled_from(["before", "low"]), JSON),
        max_size=4,
    ),
)


@given(told=CONTEXT, kind=JSON, owner=JSON, risk=JSON, saving=st.sampled_from(["-1", "1", "x"]))
def test_no_day_breaks_the_engine(
    bundle: RegoBundle, told: dict[str, Any], kind: Any, owner: Any, risk: Any, saving: str
) -> None:
    """Harm: one odd value of a day denies everything as unevaluable, and nobody sees which rule."""
    document = manifest_input({"kind": "Deployment"}, "s")
    document["context"] = plain(told)
    document["resource"]["changed"] = True
    document["proposal"] = plain(
        {
            "kind": kind,
            "owner": owner,
            "risk": risk,
            "field": "spec.replicas",
            "current": "3",
            "proposed": "2",
            "saving_per_month": {"mid": saving, "currency": "USD"},
            "evidence": {"figures": {}},
        }
    )
    verdict = _judge(bundle).judge_document(document, "s")
    assert "policy.engine" not in {rule.id for rule in verdict.rules}, verdict.rules
    assert verdict.rung is not Rung.AUTOMERGE


_JUDGES: dict[str, RegorusJudge] = {}


def _judge(bundle: RegoBundle) -> RegorusJudge:
    return _JUDGES.setdefault(bundle.id, RegorusJudge(bundle))
