"""Helm: which layer sets a value, and templates that are plain enough to know what they make."""

from __future__ import annotations

import json

import pytest

from finops_dagster.desired_state import RepositoryIndex, index_files
from finops_dagster.desired_state.nodes import Scalar, mapping, parse_file, plain
from finops_dagster.desired_state.templates import (
    NotPlainError,
    Scope,
    render_template,
    why_not_plain,
)
from finops_dagster.desired_state.values import Layer, Parameter, merged, with_parameter
from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.gitops.verification import edit_value

CHART = b"apiVersion: v2\nname: web\nversion: 1.0.0\n"
TEMPLATE = b"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicaCount }}
  template:
    spec:
      containers:
      - name: web
        resources: {{- toYaml .Values.resources | nindent 10 }}
"""


def found(index: RepositoryIndex, resource: str, field: str) -> ValueLocation:
    location = index.locate(resource, field)
    assert location is not None, sorted(index.resources())
    return location


def values(text: str) -> dict[str, object]:
    documents = parse_file(text.encode(), "values.yaml").documents
    return dict(mapping(documents[0]))  # type: ignore[arg-type]


def application(helm: str, source: str = "path: charts/web") -> bytes:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        "metadata: {name: web, namespace: argocd}\n"
        f"spec:\n  destination: {{namespace: shop}}\n  source:\n    {source}\n    helm:\n{helm}"
    ).encode()


def chart(**more: bytes) -> dict[str, bytes]:
    return {
        "charts/web/Chart.yaml": CHART,
        "charts/web/values.yaml": b"replicaCount: 1\nresources: {requests: {cpu: 1}}\n",
        "charts/web/templates/deployment.yaml": TEMPLATE,
    } | {name.replace("__", "/") + ".yaml": data for name, data in more.items()}


def test_layers_are_merged_as_helm_does() -> None:
    """Harm: a value is edited in a file that another layer overrides."""
    low = values("a: {b: 1, c: [1, 2], d: 4}\ne: 5\n")
    high = values("a: {b: 2, c: [3], d: null}\nf: 6\n")
    result = merged([Layer(low), Layer(high)])  # type: ignore[arg-type]
    assert plain(result) == {"a": {"b": 2, "c": [3]}, "e": 5, "f": 6}
    doubted = merged([Layer(low), Layer(None, "who knows"), Layer(high)])  # type: ignore[arg-type]
    assert isinstance(doubted["e"], Scalar)
    assert doubted["e"].reason == "who knows"
    assert isinstance(doubted["f"], Scalar)
    assert doubted["f"].reason == ""


@pytest.mark.parametrize(
    ("path", "text", "as_text", "expected"),
    [
        ("a.b", "2", False, {"a": {"b": 2}}),
        ("a.b", "2", True, {"a": {"b": "2"}}),
        ("a.b", "007", False, {"a": {"b": "007"}}),
        ("a.b", "true", False, {"a": {"b": True}}),
        (r"a.x\.y/z", "v", False, {"a": {"b": 1, "x.y/z": "v"}}),
        ("l[1].n", "500m", False, {"a": {"b": 1}, "l": [{}, {"n": "500m"}]}),
    ],
)
def test_parameters_are_set_as_helm_sets_them(
    path: str, text: str, as_text: bool, expected: dict[str, object]
) -> None:
    """Harm: a parameter of an Application decides, and the values file below it is edited."""
    scalar = Scalar(text, "str", "app.yaml", 0, 5, 9)
    done = with_parameter(values("a: {b: 1}"), Parameter(path, scalar, as_text))  # type: ignore[arg-type]
    assert plain(done) == {"a": {"b": 1}} | expected


@pytest.mark.parametrize("path", ["a,b", "a={1}", "", "[0]", "a[x]"])
def test_a_parameter_that_is_not_understood_blocks_all(path: str) -> None:
    """Harm: it sets something, and nobody knows what."""
    scalar = Scalar("1", "str", "app.yaml", 0, 5, 6)
    done = with_parameter(values("a: 1"), Parameter(path, scalar))  # type: ignore[arg-type]
    assert isinstance(done["a"], Scalar)
    assert "not understood" in done["a"].reason


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a: {{ .Values.text }}", {"a": "500m"}),
        ('a: "{{ .Values.text }}"', {"a": "500m"}),
        ("a: {{ .Values.number | quote }}", {"a": "3"}),
        ("a: {{ .Values.number }}", {"a": 3}),
        ("a: {b: {{ .Values.flag }}}", {"a": {"b": True}}),
        ("a:\n  {{- toYaml .Values.map | nindent 2 }}", {"a": {"k": 1}}),
        ("- a: {{- toYaml .Values.map | nindent 4 }}", [{"a": {"k": 1}}]),
        ("a:\n{{ toYaml .Values.map | indent 2 }}", {"a": {"k": 1}}),
        ("a: x-{{ .Values.number }}-{{ .Release.Name }}", {"a": "x-3-web"}),
        ("{{/* why */}}\na: {{ .Chart.Name }}", {"a": "web"}),
    ],
)
def test_plain_templates_put_values_at_certain_places(line: str, expected: object) -> None:
    """Harm: what a chart makes of its values is guessed."""
    scope = Scope(
        values("text: 500m\nnumber: 3\nflag: true\nmap: {k: 1}\n"),  # type: ignore[arg-type]
        {"Name": "web", "Namespace": "shop"}, {"Name": "web", "Version": "1"},
    )  # fmt: skip
    (document,) = render_template(f"{line}\n".encode(), "t.yaml", scope)
    assert plain(document) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\n{{- if .Values.x }}\nb: 1\n{{- end }}", "line 2 has {{- if .Values.x }}"),
        ('a: {{ include "x" . }}', 'include "x"'),
        ("a: {{ .Values.x | default 3 }}", "default 3"),
        ("a: {{ .Values.x", "line 1 has {{ .Values.x"),
        ("{{ .Values.x }}: 1", "makes keys"),
        ("a: {{- toYaml .Values.x | nindent 0 }}", "nindent 0"),
        ("a: x {{- .Values.x }}", "{{- .Values.x }}"),
        ("# {{ .Values.x | upper }}\na: 1", "upper"),
        ("a: [", "not valid YAML"),
        ("a: '{{ .Values.x | quote }}'", "in quotes"),
        ("a: \ue0000\ue001", "private use"),
    ],
)
def test_other_templates_are_refused_with_the_line(text: str, reason: str) -> None:
    """Harm: a template is half understood, and an edit changes more than it says."""
    assert reason in why_not_plain(f"{text}\n".encode(), "t.yaml")


@pytest.mark.parametrize("text", ["1000000", "0.5", "'yes'", "'5'", "'a: b'", "''"])
def test_text_that_a_template_changes_is_not_edited(text: str) -> None:
    """Harm: Helm writes 1e+06, or a string becomes a boolean, and the edit is proven wrongly."""
    scope = Scope(values(f"x: {text}"), {}, {})  # type: ignore[arg-type]
    (document,) = render_template(b"a: {{ .Values.x }}\n", "t.yaml", scope)
    one = mapping(document)["a"]
    assert isinstance(one, Scalar)
    assert "Helm template" in one.reason


def test_what_nothing_sets_is_not_rendered() -> None:
    """Harm: an empty value stands for a workload's request."""
    with pytest.raises(NotPlainError, match=r"asks for .Values.x: nothing sets it"):
        render_template(b"a: {{ .Values.x }}\n", "t.yaml", Scope({}, {}, {}))


CPU = "spec.template.spec.containers[name=web].resources.requests.cpu"


def test_an_edit_of_a_workload_is_an_edit_of_its_release() -> None:
    """Harm: the proof of an edit stops at the release, or refuses what is certain."""
    index = index_files(chart(app=application("      valueFiles: [values.yaml]\n")))
    workload = found(index, "Deployment/shop/web", CPU)
    release = found(index, "Application/argocd/web", "spec.values.resources.requests.cpu")
    assert (workload.file, workload.start_byte) == (release.file, release.start_byte)
    assert workload.follows == ("Application/argocd/web",)
    assert release.follows == ("Deployment/shop/web",)
    for location in (workload, release):
        _, before, after = edit_value(index, location, "750m")
        assert after == before.replace(b"cpu: 1}", b'cpu: "750m"}')


@pytest.mark.parametrize(
    ("more", "helm", "reason"),
    [
        ({}, "      valueFiles: [gone.yaml]\n", "charts/web/gone.yaml is not in this repository"),
        ({}, "      valueFiles: [https://x.example/v.yaml]\n", "https://x.example/v.yaml is not"),
        ({}, "      valueFiles: ['$other/v.yaml']\n", "v.yaml is not in this repository"),
        ({}, "      fileParameters: [{name: a, path: b}]\n", "fileParameters"),
        ({"charts__web__.argocd-source": b"helm: {}\n"}, "      releaseName: web\n",
         ".argocd-source"),
        ({"charts__web__secret": b"resources: {requests: {cpu: x}}\nsops: {mac: y}\n"},
         "      valueFiles: [secret.yaml]\n", "encrypted by SOPS"),
        ({"charts__web__bad": b"\ta: 1\n"}, "      valueFiles: [bad.yaml]\n", "a tab"),
    ],
)  # fmt: skip
def test_what_may_override_a_value_blocks_it(
    more: dict[str, bytes], helm: str, reason: str
) -> None:
    """Harm: a value is edited, and a layer that is not here decides all the same."""
    index = index_files(chart(app=application(helm), **more))
    location = found(index, "Application/argocd/web", "spec.values.resources.requests.cpu")
    assert not location.editable
    assert reason in location.reason


def test_missing_files_that_may_be_missing_block_nothing() -> None:
    """Harm: a chart with an optional file per cluster can never be edited."""
    helm = "      ignoreMissingValueFiles: true\n      valueFiles: [gone.yaml]\n"
    index = index_files(chart(app=application(helm)))
    assert found(index, "Deployment/shop/web", CPU).editable


@pytest.mark.parametrize(
    "field",
    [
        "spec.values.resources.requests.cpu",
        "values.resources.requests.cpu",
        "spec.source.helm.valuesObject.resources.requests.cpu",
    ],
)
def test_values_are_found_where_people_look_for_them(field: str) -> None:
    """Harm: a value that stands in the Application is not found under its own path."""
    helm = "      valuesObject: {resources: {requests: {cpu: 2}}}\n"
    index = index_files(chart(app=application(helm)))
    location = found(index, "Application/web", field)
    assert (location.file, location.value) == ("app.yaml", "2")


def test_one_chart_installed_twice_is_shared() -> None:
    """Harm: a default is lowered for one team and falls for all."""
    other = application("      releaseName: api\n").replace(b"name: web,", b"name: api,")
    index = index_files(chart(app=application("      releaseName: web\n"), more=other))
    location = found(index, "Deployment/shop/web", CPU)
    assert not location.editable
    assert "shared by" in location.reason


def test_a_value_used_twice_by_a_template_is_one_of_the_release_alone() -> None:
    """Harm: two containers are sized as one, and the proposal speaks of one."""
    twice = (
        TEMPLATE
        + b"""      - name: side
        resources: {{- toYaml .Values.resources | nindent 10 }}
"""
    )
    files = chart(app=application("      releaseName: web\n"))
    files["charts/web/templates/deployment.yaml"] = twice
    index = index_files(files)
    assert "shared by" in found(index, "Deployment/shop/web", CPU).reason
    release = found(index, "Application/argocd/web", "spec.values.resources.requests.cpu")
    assert release.editable
    edit_value(index, release, "2")


def test_a_value_that_names_what_is_installed_is_not_edited() -> None:
    """Harm: a new name is a new workload, and the old one is deleted."""
    files = chart(app=application("      parameters: [{name: title, value: web}]\n"))
    files["charts/web/templates/deployment.yaml"] = TEMPLATE.replace(
        b".Release.Name", b".Values.title"
    )
    location = found(index_files(files), "Application/argocd/web", "spec.values.title")
    assert location.reason == "it names Deployment/shop/web"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("charts/web/templates/more.yaml", b"{{ if x }}", "charts/web/templates/more.yaml: line 1"),
        ("charts/web/templates/blob.conf", b"{{ x }}", "blob.conf: line 1 has {{ x }}"),
        ("charts/web/charts/db/Chart.yaml", CHART, "its chart has dependencies"),
    ],
)
def test_a_chart_is_rendered_whole_or_not_at_all(name: str, data: bytes, reason: str) -> None:
    """Harm: a template that is not understood uses the value too, and moves with the edit."""
    index = index_files({**chart(app=application("      releaseName: web\n")), name: data})
    assert "Deployment/shop/web" not in index.resources()
    assert reason in index.refused()["charts/web/templates/deployment.yaml"]
    assert found(index, "Application/web", "spec.values.resources.requests.cpu").editable


def test_charts_nobody_installs_are_named_by_folder_and_environment() -> None:
    """Harm: a repository of charts alone shows no value at all."""
    index = index_files({**chart(), "charts/web/values-prod.yaml": b"replicaCount: 3\n"})
    own = found(index, "Chart/charts:web/web@prod", "spec.values.replicaCount")
    assert (own.file, own.value, own.editable) == ("charts/web/values-prod.yaml", "3", True)
    assert found(index, "Chart/web", "spec.values.replicaCount").file == "charts/web/values.yaml"
    both = found(index, "Chart/web", "spec.values.resources.requests.cpu")
    assert "shared by Chart/charts:web/web and Chart/charts:web/web@prod" in both.reason


def test_an_application_set_may_set_what_is_not_seen() -> None:
    """Harm: a chart's default is edited, and a template of Applications overrides it."""
    generator = b"""apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: all, namespace: argocd}
spec:
  template:
    spec:
      source: {path: 'charts/{{ .name }}', helm: {parameters: [{name: x, value: '{{ .x }}'}]}}
"""
    index = index_files(chart(sets=generator))
    location = found(index, "Chart/charts:web/web", "spec.values.replicaCount")
    assert "ApplicationSet all may set it" in location.reason


def flux(values_from: str = "", spec: str = "") -> bytes:
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        "metadata: {name: web, namespace: shop}\nspec:\n"
        "  chart: {spec: {chart: charts/web, sourceRef: {kind: GitRepository, name: x}}}\n"
        f"{values_from}{spec}"
    ).encode()


def test_a_target_path_is_set_by_its_config_map() -> None:
    """Harm: a value that a ConfigMap sets is edited in the chart in vain."""
    index = index_files(chart(
        release=flux("  valuesFrom:\n  - {kind: ConfigMap, name: size, valuesKey: n, "
                     "targetPath: replicaCount}\n"),
        map=b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: size, namespace: shop}\n"
            b"data: {n: '4'}\n",
    ))  # fmt: skip
    location = found(index, "Deployment/shop/web", "spec.replicas")
    assert (location.file, location.value, location.editable) == ("map.yaml", "4", True)
    _, _, after = edit_value(index, location, "2")
    assert b"n: '2'" in after


@pytest.mark.parametrize("spec", ["  postRenderers: [{kustomize: {}}]\n", "  suspend: true\n"])
def test_what_changes_after_the_chart_is_not_rendered(spec: str) -> None:
    """Harm: a post renderer sets another request than the one that is edited."""
    index = index_files(chart(release=flux(spec=spec)))
    assert "Deployment/shop/web" not in index.resources()
    assert "after it is made" in index.refused()["charts/web/templates/deployment.yaml"]


def test_releases_keep_what_else_they_say() -> None:
    """Harm: policy judges a release without its source."""
    index = index_files(chart(app=application("      releaseName: web\n")))
    manifest = json.loads(index.resources()["Application/argocd/web"].manifest)
    assert manifest["spec"]["source"] == {"path": "charts/web", "helm": {"releaseName": "web"}}
    assert manifest["spec"]["values"]["replicaCount"] == 1


def test_reading_again_after_an_edit_equals_reading_afresh() -> None:
    """Harm: the proof after an edit is made on stale values."""
    files = chart(app=application("      valueFiles: [values.yaml]\n"))
    changed = {"charts/web/values.yaml": b"replicaCount: 2\nresources: {requests: {cpu: 3}}\n"}
    again: RepositoryIndex = index_files(files).with_changes(changed)
    fresh = index_files({**files, **changed})
    assert list(again.locations()) == list(fresh.locations())
    assert dict(again.resources()) == dict(fresh.resources())
