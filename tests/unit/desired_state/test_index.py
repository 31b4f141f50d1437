"""Who owns each value: plain files, Kustomize overlays, Argo CD and Flux, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finops_dagster.desired_state import RepositoryIndex, index_files, open_directory
from finops_dagster.desired_state import open_repository as open_git
from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.domain.errors import SettingsError
from tests.builders import CPU, MEMORY, bare_repository, deployment, git

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def kustomization(text: str) -> bytes:
    return ("kind: Kustomization\n" + text).encode()


def found(index: RepositoryIndex, resource: str, field: str) -> ValueLocation:
    location = index.locate(resource, field)
    assert location is not None, sorted(index.resources())
    return location


def raw(index: RepositoryIndex, location: ValueLocation) -> bytes:
    return index.read(location.file)[location.start_byte : location.end_byte]


BASE = {
    "base/kustomization.yaml": kustomization("resources: [web.yaml]\n"),
    "base/web.yaml": deployment("web").replace(b"  namespace: shop\n", b""),
}
PATCH = b"""apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: server
        resources: {requests: {cpu: 800m}}
"""


def test_the_overlay_owns_what_it_patches_and_the_base_the_rest() -> None:
    """Harm: an edit of the base moves two environments, or an edit that the overlay undoes."""
    index = index_files({
        **BASE,
        "prod/kustomization.yaml": kustomization(
            "namespace: prod\nresources: [../base]\npatches:\n- path: cpu.yaml\n"
        ),
        "prod/cpu.yaml": PATCH,
        "dev/kustomization.yaml": kustomization("namespace: dev\nresources: [../base]\n"),
    })  # fmt: skip
    assert sorted(index.resources()) == ["Deployment/dev/web", "Deployment/prod/web"]
    own = found(index, "Deployment/prod/web", CPU)
    assert (own.file, own.value, own.editable) == ("prod/cpu.yaml", "800m", True)
    only = found(index, "Deployment/dev/web", CPU)
    assert (only.file, only.value, only.editable) == ("base/web.yaml", "2", True)
    shared = found(index, "Deployment/prod/web", MEMORY)
    assert not shared.editable
    assert shared.reason == (
        "shared by Deployment/dev/web and Deployment/prod/web: changing it would change both"
    )
    manifest = json.loads(index.resources()["Deployment/prod/web"].manifest)
    assert manifest["metadata"]["namespace"] == "prod"
    containers = manifest["spec"]["template"]["spec"]["containers"]
    assert containers[0]["resources"]["requests"] == {"cpu": "800m", "memory": "4Gi"}
    assert containers[0]["image"] == "registry.example/web:1"


@pytest.mark.parametrize(
    "patches",
    [
        "patches:\n- target: {kind: Deployment, name: w.b}\n  patch: |-\n"
        "    - op: replace\n      path: /spec/replicas\n      value: 7\n",
        "patchesJson6902:\n- target: {version: v1, kind: Deployment, name: web}\n  patch: |\n"
        "    - {op: add, path: /spec/replicas, value: 7}\n",
        "patchesStrategicMerge:\n- |\n  apiVersion: apps/v1\n  kind: Deployment\n"
        "  metadata: {name: web}\n  spec: {replicas: 7}\n",
        "replicas:\n- {name: web, count: 7}\n",
        "patches:\n- target: {labelSelector: team=checkout}\n"
        '  patch: \'[{"op": "replace", "path": "/spec/replicas", "value": 7}]\'\n',
        "components: [../component]\n",
    ],
)
def test_every_way_to_patch_owns_its_value(patches: str) -> None:
    """Harm: a value in an inline patch cannot be found, and the base is edited in vain."""
    index = index_files({
        **BASE,
        "component/kustomization.yaml": b"kind: Component\npatches:\n- path: p.yaml\n",
        "component/p.yaml": b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
        b"spec: {replicas: 7}\n",
        "prod/kustomization.yaml": kustomization(
            f"namespace: prod\nresources: [../base]\n{patches}"
        ),
    })  # fmt: skip
    location = found(index, "Deployment/prod/web", "spec.replicas")
    assert location.value == "7"
    assert location.file != "base/web.yaml"
    assert location.editable, location.reason
    assert raw(index, location) == b"7"


def test_prefixes_labels_images_and_deletions() -> None:
    """Harm: resources are listed under names that no bill and no cluster knows."""
    index = index_files({
        **BASE,
        "base/extra.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\n",
        "base/kustomization.yaml": kustomization("resources: [web.yaml, extra.yaml]\n"),
        "prod/kustomization.yaml": kustomization(
            "namespace: prod\nnamePrefix: eu-\nnameSuffix: -v2\nresources: [../base]\n"
            "labels:\n- pairs: {tier: gold}\n  includeSelectors: true\n"
            "commonAnnotations: {note: hi}\n"
            "images:\n- {name: registry.example/web, newTag: '9'}\n"
            "patches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n"
            "    metadata: {name: old}\n    $patch: delete\n"
            "- path: cpu.yaml\n"
        ),
        "prod/cpu.yaml": PATCH,
    })  # fmt: skip
    assert list(index.resources()) == ["Deployment/prod/eu-web-v2"]
    resource = index.resources()["Deployment/prod/eu-web-v2"]
    assert resource.labels == {"team": "checkout", "environment": "prod", "tier": "gold"}
    assert resource.annotations == {"note": "hi"}
    spec = json.loads(resource.manifest)["spec"]
    assert spec["selector"]["matchLabels"] == {"app": "web", "tier": "gold"}
    assert spec["template"]["spec"]["containers"][0]["image"] == "registry.example/web:9"
    image = found(index, "Deployment/prod/eu-web-v2",
                  "spec.template.spec.containers[name=server].image")  # fmt: skip
    assert (image.value, image.editable) == ("registry.example/web:9", False)
    assert found(index, "Deployment/prod/eu-web-v2", CPU).file == "prod/cpu.yaml"
    tier = found(index, "Deployment/prod/eu-web-v2", "metadata.labels.tier")
    assert not tier.editable


def test_namespaces_come_from_the_application_last() -> None:
    """Harm: a resource is looked up under `default` and its bill never found."""
    application = b"""apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: %s, namespace: argocd}
spec: {source: {path: %s}, destination: {namespace: %s}}
"""
    flux = b"""apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: infra, namespace: flux-system}
spec: {path: ./infra, targetNamespace: forced}
"""
    bare = deployment("web").replace(b"  namespace: shop\n", b"")
    index = index_files({
        **BASE,
        "argo/a.yaml": application % (b"a", b"base", b"alpha"),
        "argo/b.yaml": application % (b"b", b"plain", b"beta"),
        "flux/infra.yaml": flux,
        "plain/one.yaml": bare.replace(b"name: web", b"name: one"),
        "plain/two.yaml": deployment("two"),
        "infra/deep/three.yaml": deployment("three"),
        "else/four.yaml": bare.replace(b"name: web", b"name: four")
        + b"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: four}\n",
    })  # fmt: skip
    named = {name for name in index.resources() if not name.startswith(("App", "Kust"))}
    assert named == {
        "Deployment/alpha/web", "Deployment/beta/one", "Deployment/shop/two",
        "Deployment/forced/three", "Deployment/default/four", "Namespace//four",
    }  # fmt: skip


def test_one_path_deployed_twice_is_shared() -> None:
    """Harm: an edit meant for one namespace changes every tenant."""
    application = b"""apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: %s}
spec: {source: {path: base}, destination: {namespace: %s}}
"""
    index = index_files({
        **BASE,
        "apps/a.yaml": application % (b"a", b"alpha"),
        "apps/b.yaml": application % (b"b", b"beta"),
    })  # fmt: skip
    location = found(index, "Deployment/alpha/web", CPU)
    assert not location.editable
    assert "Deployment/beta/web" in location.reason


def test_the_same_resource_from_two_roots() -> None:
    """Harm: an edit that one of two clusters never sees, or a refusal where both agree."""
    index = index_files({
        **BASE,
        "one/kustomization.yaml": kustomization("resources: [../base]\n"),
        "two/kustomization.yaml": kustomization(
            "resources: [../base]\npatches:\n- path: cpu.yaml\n"
        ),
        "two/cpu.yaml": PATCH,
    })  # fmt: skip
    assert found(index, "Deployment/default/web", MEMORY).editable
    location = found(index, "Deployment/default/web", CPU)
    assert not location.editable
    assert "declared twice" in location.reason
    assert "two/cpu.yaml" in location.reason


def test_lookups_accept_what_people_write() -> None:
    """Harm: a name that is clear to a person is not found; one that is not clear is guessed."""
    index = index_files({
        "a.yaml": deployment("web"),
        "b.yaml": deployment("api", namespace="x"),
        "c.yaml": deployment("api", namespace="y"),
    })  # fmt: skip
    for name in ("Deployment/web", "Deployment//web", "Deployment/default/web"):
        assert found(index, name, CPU).resource == "Deployment/shop/web"
    assert index.locate("Deployment/other/web", CPU) is None
    assert index.locate("Deployment/api", CPU) is None
    assert index.locate("Deployment/a/b/c", CPU) is None
    assert index.locate("web", CPU) is None


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("chart/templates/x.yaml", b"a: {{ x }}\n", "not rendered: line 1 has {{ x }}"),
        ("chart/templates/y.yaml", b"a: {{ .Values.x }}\n", "nothing in this repository installs"),
        ("overrides/values-prod.yaml", b"a: 1\n", "Helm values that no release"),
        ("helmfile.yaml", b"releases: []\n", "a Helmfile"),
        (".github/workflows/x.yaml", b"on: push\n", "settings of a tool"),
        ("big.yaml", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "LFS"),
        ("empty.yaml", b"# later\n", "nothing is written"),
        ("infra/main.bicep", b"", "Bicep: not yet"),
        ("fn/serverless.yml", b"service: x\n", "a Serverless Framework service without functions"),
        ("fn/serverless.ts", b"", "a Serverless Framework service in code"),
        ("sam/t.yaml", b"Transform: AWS::Serverless-2016-10-31\n", "declares no resource"),
        ("x/t.yaml", b"kind: {{ .Values.kind }}\n", "a template"),
        ("x/bad.yaml", b"a: [\n", "not valid YAML"),
        ("x/n.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n", "generated"),
        ("x/evil.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: ../../x}\n", "not a Kubern"),
        ("x/other.yaml", b"hello: world\n", "not a Kubernetes manifest"),
    ],
)
def test_what_is_not_indexed_says_why(name: str, data: bytes, reason: str) -> None:
    """Harm: a file is left out in silence, and its owner wonders why nothing is proposed."""
    index = index_files({"chart/Chart.yaml": b"name: chart\n", "w.yaml": deployment("w"),
                         name: data})  # fmt: skip
    assert reason in index.refused()[name]
    assert list(index.resources()) == ["Deployment/shop/w"]
    entry = [one for one in index.locations() if one.file == name]
    assert [(one.resource, one.editable) for one in entry] == [("", False)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: b"# Code generated by x. DO NOT EDIT.\n" + d, "generated"),
        (lambda d: d.replace(b"cpu: 2 ", b"cpu: ${CPU} "), "substituted"),
        (lambda d: d + b"sops: {mac: x}\n", "SOPS"),
        (
            lambda d: d.replace(b"apps/v1", b"apiextensions.crossplane.io/v1").replace(
                b"kind: Deployment", b"kind: Composition"
            ),
            "a Composition is a template",
        ),
        (lambda d: d.replace(b"cpu: 2 ", b"cpu: '{{ cpu }}' "), "templated"),
    ],
)
def test_values_that_must_not_be_edited_say_why(change, reason: str) -> None:  # type: ignore[no-untyped-def]
    """Harm: an edit that a generator overwrites, or that breaks a signature."""
    index = index_files({"w.yaml": change(deployment("w"))})
    (name,) = index.resources()
    location = found(index, name, CPU)
    assert not location.editable
    assert reason in location.reason


def test_replacements_make_a_kustomization_untouchable() -> None:
    """Harm: a value is edited that kustomize then replaces by another."""
    index = index_files({
        **BASE,
        "prod/kustomization.yaml": kustomization(
            "resources: [../base]\nreplacements:\n- path: r.yaml\n"
        ),
        "prod/r.yaml": b"source: {kind: ConfigMap}\n",
    })  # fmt: skip
    location = found(index, "Deployment/default/web", CPU)
    assert not location.editable
    assert "replacements" in location.reason


def test_patches_of_resources_that_cannot_be_read_are_found() -> None:
    """Harm: an overlay over a remote base cannot be edited at all."""
    index = index_files({
        "kustomization.yaml": kustomization(
            "resources: [https://example.org/base.yaml]\npatches:\n"
            "- target: {kind: Deployment, name: far}\n  patch: |-\n"
            "    - op: add\n      path: /spec/template/spec/containers/0/resources\n"
            "      value: {limits: {cpu: 500m}}\n"
        )
    })  # fmt: skip
    location = found(index, "Deployment/far",
                     "/spec/template/spec/containers/0/resources/limits/cpu")  # fmt: skip
    assert location.editable
    assert raw(index, location) == b"500m"
    assert "remote" in index.refused()["kustomization.yaml"]


def test_circles_and_escapes_end() -> None:
    """Harm: a kustomization that names itself hangs the run; `..` reads outside."""
    index = index_files({
        "a/kustomization.yaml": kustomization("resources: [../b, ../../../etc]\n"),
        "b/kustomization.yaml": kustomization("resources: [../a]\n"),
        "w.yaml": deployment("w"),
    })  # fmt: skip
    assert list(index.resources()) == ["Deployment/shop/w"]


def test_git_and_folder_agree_at_each_commit(tmp_path: Path) -> None:
    """Harm: decisions rest on a working tree, or on another commit than the one named."""
    files = {**BASE, "x é.yaml": deployment("x"), "big.json": b"{}"}
    bare = bare_repository(tmp_path, files)
    first = open_git(bare)
    assert len(first.commit) == 40
    assert list(first.locations()) == list(open_directory(tmp_path / "work").locations())
    work = tmp_path / "work"
    (work / "x é.yaml").write_bytes(deployment("x", cpu="9"))
    git(work, "commit", "-qam", "next")
    git(work, "push", "-q", str(bare), "main")
    assert found(open_git(bare), "Deployment/shop/x", CPU).value == "9"
    assert found(open_git(bare, first.commit), "Deployment/shop/x", CPU).value == "2"
    for commit in ("nowhere", "--help", "main\nx"):
        with pytest.raises(SettingsError):
            open_git(bare, commit)
    with pytest.raises(SettingsError):
        open_git(tmp_path / "missing")


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Harm: a link in the repository makes the product read, or write, outside of it."""
    secret = tmp_path / "secret.yaml"
    secret.write_bytes(deployment("secret"))
    work = tmp_path / "repo"
    work.mkdir()
    (work / "link.yaml").symlink_to(secret)
    (work / "w.yaml").write_bytes(deployment("w"))
    git(work, "init", "-q")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "x")
    for index in (open_git(work), open_directory(work)):
        assert list(index.resources()) == ["Deployment/shop/w"]
        assert "link" in index.refused()["link.yaml"]


def test_reading_again_with_other_bytes_equals_reading_afresh() -> None:
    """Harm: the proof after an edit is made on stale results and lets a wrong edit through."""
    files = {
        **BASE,
        "prod/kustomization.yaml": kustomization(
            "namespace: prod\nresources: [../base]\npatches:\n- path: cpu.yaml\n"
        ),
        "prod/cpu.yaml": PATCH,
        "w.yaml": deployment("w"),
    }
    index = index_files(files)
    for name, data in files.items():
        changed = {name: data.replace(b"800m", b"1").replace(b"cpu: 2", b"cpu: 3")}
        again, fresh = index.with_changes(changed), index_files({**files, **changed})
        assert list(again.locations()) == list(fresh.locations())
        assert dict(again.resources()) == dict(fresh.resources())


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not on this machine")
@pytest.mark.parametrize("name", ["gitops", "field_samples", "policy/gatekeeper_library"])
def test_real_repositories(name: str) -> None:
    """Harm: what works on samples of our own fails on what people really write."""
    index = open_directory(SHARED / name)
    count = 0
    for location in index.locations():
        if location.resource and location.end_byte:
            again = index.locate(location.resource, location.field)
            assert again == location
            count += location.editable
    assert count > 20


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not on this machine")
def test_real_inline_patch() -> None:
    """Harm: the value that a platform team's overlay sets cannot be found."""
    index = open_directory(SHARED / "field_samples")
    location = found(index, "Deployment/my-app", "spec.replicas")
    assert (raw(index, location), location.editable) == (b"3", True)
    gpu = found(index, "ResourceQuota/ml-project-alpha-quota", "spec.hard.requests.nvidia.com/gpu")
    assert (raw(index, gpu), gpu.editable) == (b'"2"', True)
