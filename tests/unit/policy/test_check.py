"""Checking files: verdicts with their place, and a reason for everything that got none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finops_dagster.domain.decisions import Decision, DeclaredResource
from finops_dagster.domain.errors import SettingsError
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.check import CheckReport, check_declared, check_path
from finops_dagster.policy.documents import MAX_DEPTH

SHARED = Path(__file__).parents[3].parent / "shared" / "data"

TWO = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
# why
apiVersion: v1
kind: Pod
metadata:
  name: train
  namespace: ml
  labels: {team: vision, environment: prod, cost-center: cc-7}
spec:
  nodeSelector: {accelerator: nvidia-h100}
"""


def check(root: Path, bundle: RegoBundle, files: dict[str, str | bytes]) -> CheckReport:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check_path(root, bundle)


def reasons(report: CheckReport) -> dict[str, str]:
    return {refused.file: refused.reason for refused in report.refused}


def test_each_document_has_its_verdict_and_place(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a violation is reported at the wrong document, or hidden behind the first."""
    report = check(tmp_path, bundle, {"a/two.yaml": TWO})
    settings, pod = report.items
    assert (settings.resource, settings.verdict) == ("ConfigMap//settings", Decision.ALLOW)
    assert (pod.file, pod.document, pod.line) == ("a/two.yaml", 1, 6)
    assert (pod.resource, pod.verdict) == ("Pod/ml/train", Decision.DENY)
    assert [rule.id for rule in pod.rules] == ["compute.gpu_budget"]
    assert report.denied
    assert report.bundle == bundle.id


def test_json_and_lists(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: what kubectl prints as a list passes unseen."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    listed = {"apiVersion": "v1", "kind": "List", "items": [pod, pod | {"metadata": {}}]}
    report = check(tmp_path, bundle, {"list.json": json.dumps(listed)})
    assert [item.resource for item in report.items] == ["Pod//a", "Pod//"]
    assert report.denied


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("values.yaml", "image: {tag: 1}", "it has no kind"),
        ("list.yaml", "- a", "a list"),
        ("word.yaml", "word", "a bare value"),
        ("empty.yaml", "# nothing\n", "holds no document"),
        ("kustomization.yaml", "resources: [a.yaml]", "check what it renders"),
        ("k.yaml", "apiVersion: kustomize.config.k8s.io/v1\nkind: Kustomization", "renders"),
        ("chart.yaml", "a: {{ .Values.x }}\nb: {{- if }}", "render it first"),
        ("bad.yaml", "a: [1\nb: 2", "not YAML: line"),
        ("twice.yaml", "kind: Pod\nkind: Job", "not YAML"),
        ("object.yaml", "a: !!python/object/apply:os.system [id]", "not YAML"),
        ("anchor.yaml", "a: *nowhere", "not YAML"),
        ("itself.yaml", "a: &x [*x]", "an anchor that holds itself"),
        ("deep.yaml", "[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5), "nested too deeply"),
        ("deeper.yaml", "[" * 100_000, "nested too deeply"),
        ("latin.yaml", "kind: Pod\nname: é".encode("latin-1"), "not UTF-8"),
        ("stamp.yaml", "kind: Pod\nspec: {at: 2026-99-99T00:00:00Z}", "not YAML"),
        ("bare.yaml", "kind: Pod", "neither apiVersion nor spec"),
        ("items.yaml", "apiVersion: v1\nkind: List\nitems: [1]", "items that have no kind"),
        ("main.tf", 'resource "aws_instance" "a" {}', ".tf files are not read"),
        ("stack.yaml", "Resources: {B: {Type: 'AWS::S3::Bucket'}}", "without serverless"),
    ],
)
def test_refusals_carry_a_reason(
    tmp_path: Path, bundle: RegoBundle, name: str, text: str | bytes, says: str
) -> None:
    """Harm: a file that was not judged looks as if it had been found sound, or crashes it."""
    report = check(tmp_path, bundle, {name: text})
    assert report.items == ()
    assert says in reasons(report)[name]


def test_aliases_that_explode_are_refused(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: half a kilobyte of YAML takes the memory of the machine."""
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 12)]
    report = check(tmp_path, bundle, {"bomb.yaml": "\n".join(lines)})
    assert "aliases are expanded" in reasons(report)["bomb.yaml"]


def test_links_are_refused(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a repository shows files of the machine that checks it."""
    (tmp_path / "outside.yaml").write_text(TWO)
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    report = check_path(tmp_path / "repository", bundle)
    assert report.items == ()
    assert "a link" in reasons(report)["link.yaml"]


def test_patches_are_not_whole_resources(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: an overlay's patch is denied for labels that its base has."""
    patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2}"
    report = check(
        tmp_path,
        bundle,
        {
            "overlay/kustomization.yaml": (
                "resources: [../base]\npatches: [{path: replicas.yaml}, {patch: '- op: add'}]\n"
                "patchesStrategicMerge: [more.yaml, 'kind: Pod\\n']"
            ),
            "overlay/replicas.yaml": patch,
            "overlay/more.yaml": patch,
        },
    )
    assert report.items == ()
    assert set(reasons(report)) == {
        "overlay/kustomization.yaml",
        "overlay/replicas.yaml",
        "overlay/more.yaml",
    }


DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, labels: {team: t}}\n"


def test_labels_that_overlays_add_count(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a base is denied for labels that every overlay gives it, or one overlay's labels
    hide that another gives none."""
    files: dict[str, str | bytes] = {
        "base/a.yaml": DEPLOYMENT,
        "base/kustomization.yaml": "resources: [a.yaml]\ncommonLabels: {cost-center: c}",
        "prod/kustomization.yaml": "resources: [../base]\ncomponents: [../labels]",
        "labels/kustomization.yaml": "labels: [{pairs: {environment: prod}}]",
    }
    (item,) = check(tmp_path, bundle, files).items
    assert (item.verdict, item.rules) == (Decision.ALLOW, ())
    files["dev/kustomization.yaml"] = "resources: [../base]\nnamespace: dev"
    (item,) = check(tmp_path, bundle, files).items
    assert [rule.actual for rule in item.rules] == ["without environment"]


def test_kustomizations_that_go_round(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: Kustomizations that include one another hang the check, or take all memory."""
    files: dict[str, str | bytes] = {
        "base/a.yaml": DEPLOYMENT,
        "base/kustomization.yaml": "resources: [a.yaml, ../top]\ncomponents: [../top]",
        "top/kustomization.yaml": "resources: [../base]\ncomponents: [../base]",
    }
    (item,) = check(tmp_path, bundle, files).items
    assert item.verdict is Decision.DENY
    for level in range(40):
        for side in "xy":
            below = "../base" if level == 0 else f"../x{level - 1}, ../y{level - 1}"
            files[f"{side}{level}/kustomization.yaml"] = (
                f"resources: [{below}]\ncommonLabels: {{l{level}: {side}}}"
            )
    report = check(tmp_path / "maze", bundle, files)
    assert "overlays label it differently" in reasons(report)["base/a.yaml"]


def test_labels_of_a_namespace_are_told_to_the_rules(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: teams who let their namespace's labels count are told to label every pod again."""
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\n"
    namespace = (
        "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"
        "  labels: {team: shop, environment: prod, cost-center: cc-1}\n"
    )
    data = json.loads(json.dumps(bundle.data))
    data["limits"]["labels"]["defaults"]["namespace_counts"] = True
    counting = bundle.with_data(data)
    assert check(tmp_path, counting, {"pod.yaml": pod}).denied
    files = {"pod.yaml": pod, "namespace.yaml": namespace}
    assert not check(tmp_path, counting, files).denied
    assert check(tmp_path, bundle, files).denied


def test_one_file_and_no_file(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a mistyped path is a check that found nothing wrong."""
    (tmp_path / "two.yaml").write_text(TWO)
    assert [item.file for item in check_path(tmp_path / "two.yaml", bundle).items] == [
        "two.yaml",
        "two.yaml",
    ]
    with pytest.raises(SettingsError, match="does not exist"):
        check_path(tmp_path / "nowhere.yaml", bundle)


def test_serverless_files(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: functions are only found where Kubernetes declares them."""
    framework = """
service: a
provider: {name: aws, stage: dev, memorySize: 256, tags: {team: a, cost-center: c}}
functions: {small: {}, large: {memorySize: 3008}}
"""
    sam = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {MemorySize: 3008, Tags: {team: a, env: dev, cost-center: c}}}
Resources:
  Large: {Type: 'AWS::Serverless::Function', Properties: {Handler: !GetAtt [a, b]}}
  Small: {Type: 'AWS::Serverless::Function', Properties: {MemorySize: 128}}
  Table: {Type: 'AWS::DynamoDB::Table'}
"""
    report = check(tmp_path, bundle, {"serverless.yml": framework, "template.yaml": sam})
    assert {(item.file, item.resource, item.verdict) for item in report.items} == {
        ("serverless.yml", "ServerlessFunction//small", Decision.ALLOW),
        ("serverless.yml", "ServerlessFunction//large", Decision.DENY),
        ("template.yaml", "ServerlessFunction//Large", Decision.DENY),
        ("template.yaml", "ServerlessFunction//Small", Decision.ALLOW),
    }


def test_declared_resources(bundle: RegoBundle) -> None:
    """Harm: labels that an overlay adds are said to be missing."""
    labels = {"team": "a", "environment": "prod", "cost-center": "c"}
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": labels}}

    def declared(manifest: str) -> DeclaredResource:
        return DeclaredResource(
            resource="Pod//a",
            api_version="v1",
            labels={},
            annotations={},
            file="a.yaml",
            document=3,
            manifest=manifest,
        )

    report = check_declared([declared(json.dumps(whole)), declared("{")], bundle)
    (item,) = report.items
    assert (item.document, item.verdict, item.rules) == (3, Decision.ALLOW, ())
    assert [refused.reason for refused in report.refused] == ["its manifest is no JSON"]


@pytest.mark.parametrize(
    "folder",
    [
        "policy/gatekeeper_library",
        "gitops/microservices_demo",
        "gitops/flux2_kustomize_helm_example",
        "field_samples",
    ],
)
def test_real_manifests(bundle: RegoBundle, folder: str) -> None:
    """Harm: what other people really write crashes the check or breaks a rule."""
    root = SHARED / folder
    if not root.is_dir():
        pytest.skip(f"needs shared/data/{folder} beside the project")
    report = check_path(root, bundle)
    assert report.items
    spoke = {rule.id for item in report.items for rule in item.rules}
    assert not spoke & {"policy.engine", "policy.input", "policy.rule_unevaluable"}
    assert all(refused.reason for refused in report.refused)


def test_an_admission_request_is_its_object(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: what a webhook was asked is judged as a review, which breaks no rule."""
    pod = TWO.split("---\n")[1].replace("\n", "\n    ")
    review = (
        f"apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\nrequest:\n  object:\n    {pod}"
    )
    report = check(tmp_path, bundle, {"review.yaml": review})
    assert [(item.resource, item.verdict) for item in report.items] == [
        ("Pod/ml/train", Decision.DENY)
    ]
    gone = "apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\nrequest: {operation: DELETE}"
    report = check(tmp_path / "gone", bundle, {"gone.yaml": gone})
    assert reasons(report) == {"gone.yaml": "an admission of no object"}
