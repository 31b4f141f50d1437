"""A value of a base, changed for one environment: a patch as the repository has its patches."""

from __future__ import annotations

import pytest

from finops_dagster.desired_state import index_files
from finops_dagster.domain.decisions import Abstained, ChangeSet
from finops_dagster.gitops.changes import plan_change_set
from finops_dagster.gitops.edits import apply_edits
from tests.builders import CPU, deployment, proposal

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
PROD = f"{HEAD}namespace: shop\nresources:\n  - ../../base\n"
DEV = f"{HEAD}namespace: shop-dev\nresources:\n  - ../../base\n"
OTHER = b"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 4
"""
PATCH = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  template:
    spec:
      containers:
      - name: server
        resources:
          requests:
            cpu: 500m
"""


def files(prod: str, **more: bytes) -> dict[str, bytes]:
    return {
        "a/base/kustomization.yaml": f"{HEAD}resources: [web.yaml]\n".encode(),
        "a/base/web.yaml": deployment("web"),
        "a/overlays/prod/kustomization.yaml": prod.encode(),
        "a/overlays/dev/kustomization.yaml": DEV.encode(),
        **{f"a/overlays/prod/{name}": data for name, data in more.items()},
    }


def written(given: dict[str, bytes], **changes: object) -> dict[str, str]:
    """What the edits make of each file they touch."""
    plan = plan_change_set(proposal(**changes), index_files(given), ["a/**"])
    assert isinstance(plan, ChangeSet), plan
    return {
        edit.file: apply_edits(b"" if edit.creates else given[edit.file], (edit,)).decode()
        for edit in plan.edits
    }


def refused(given: dict[str, bytes], **changes: object) -> str:
    plan = plan_change_set(proposal(**changes), index_files(given), ["a/**"])
    assert isinstance(plan, Abstained), plan
    return plan.reason


@pytest.mark.parametrize(
    ("prod", "more", "file", "expected"),
    [
        (PROD, {}, "web-patch.yaml", f"{PROD.rstrip()}\npatches:\n  - path: web-patch.yaml\n"),
        (
            f"{PROD}patches:\n- path: web-resources.yaml\n# the end\n",
            {"web-resources.yaml": OTHER},
            "web-resources-cpu.yaml",
            f"{PROD}patches:\n- path: web-resources.yaml\n- path: web-resources-cpu.yaml\n"
            "# the end\n",
        ),
        (
            f"{PROD}patches:\n  - path: patches/other.yaml # why\nimages: []\n",
            {"patches/other.yaml": OTHER.replace(b"name: web", b"name: other")},
            "patches/web.yaml",
            f"{PROD}patches:\n  - path: patches/other.yaml # why\n  - path: patches/web.yaml\n"
            "images: []\n",
        ),
        (
            f"{PROD}patchesStrategicMerge:\n  - replicas.yml",
            {"replicas.yml": OTHER},
            "web-patch.yml",
            f"{PROD}patchesStrategicMerge:\n  - replicas.yml\n  - web-patch.yml",
        ),
    ],
)
def test_a_patch_stands_where_the_others_do(
    prod: str, more: dict[str, bytes], file: str, expected: str
) -> None:
    """Harm: a value that a base shares cannot be changed, or is in a layout nobody there knows."""
    if "other" in file or "patches/" in file:
        other = deployment("other")
        given = files(prod, **more) | {
            "a/base/other.yaml": other,
            "a/base/kustomization.yaml": f"{HEAD}resources: [web.yaml, other.yaml]\n".encode(),
        }
    else:
        given = files(prod, **more)
    assert written(given) == {
        "a/overlays/prod/kustomization.yaml": expected,
        f"a/overlays/prod/{file}": PATCH,
    }


def test_where_patches_are_written_in_place_so_is_this_one() -> None:
    """Harm: a repository that keeps its patches in the kustomization gets files beside it."""
    prod = (
        f"{PROD}patches:\n  - target: {{kind: Deployment}}\n    patch: |-\n"
        "      - op: replace\n        path: /spec/replicas\n        value: 4\n\n# the end\n"
    )
    made = written(files(prod))
    indented = "".join(f"      {line}\n" for line in PATCH.splitlines())
    assert made == {
        "a/overlays/prod/kustomization.yaml": prod.replace(
            "value: 4\n", f"value: 4\n  - patch: |-\n{indented}"
        )
    }


def test_line_ends_and_the_style_of_the_value_are_kept() -> None:
    """Harm: a file with two kinds of line ends, or a number where a string was."""
    given = files(PROD.replace("\n", "\r\n"))
    given["a/base/web.yaml"] = deployment("web", cpu="'2'")
    made = written(given)
    assert made["a/overlays/prod/kustomization.yaml"] == (
        f"{PROD}patches:\n  - path: web-patch.yaml\n".replace("\n", "\r\n")
    )
    assert made["a/overlays/prod/web-patch.yaml"].endswith("            cpu: '500m'\r\n")
    assert "\n" not in made["a/overlays/prod/web-patch.yaml"].replace("\r\n", "")


def test_a_prefix_of_the_overlay_does_not_hide_what_is_patched() -> None:
    """Harm: the patch names what no base declares, and kustomize stops for the whole overlay."""
    made = written(files(f"{PROD}namePrefix: eu-\n"), resource="Deployment/shop/eu-web")
    assert made["a/overlays/prod/eu-web-patch.yaml"] == PATCH


@pytest.mark.parametrize(
    ("given", "changes", "reason"),
    [
        (files(f"{PROD}patches: []\n"), {}, "its patches are not listed line by line"),
        (files(f"{PROD}patches: [{{path: p.yaml}}]\n", **{"p.yaml": OTHER}), {}, "line by line"),
        (
            files(f"{PROD}patches:\n- path: p.yaml\npatchesStrategicMerge:\n- p.yaml\n",
                  **{"p.yaml": OTHER}), {}, "in two ways",
        ),
        (
            files(f"{PROD}patches:\n- path: web-x.yaml\n",
                  **{"web-x.yaml": OTHER, "web-x-cpu.yaml": b"a: b\n"}),
            {}, "is there already",
        ),
        (files(f"# Code generated by x. DO NOT EDIT.\n{PROD}"), {}, "generated"),
        (files(PROD), {"proposed": "a lot"}, "not a Kubernetes quantity"),
        (files(PROD), {"current": "3"}, "the proposal was made for '3'"),
        (files(PROD), {"field": "metadata.labels.team", "current": "checkout", "proposed": "x\ny"},
         "control characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_in_one_clear_way_is_refused(
    given: dict[str, bytes], changes: dict[str, object], reason: str
) -> None:
    """Harm: a guess at somebody's layout, or a base changed for everybody."""
    assert reason in refused(given, **changes)


def test_only_allowed_paths_get_a_patch() -> None:
    """Harm: settings allow one folder, and a new file lands in another."""
    index = index_files(files(PROD))
    plan = plan_change_set(proposal(), index, ["a/base/**", "a/overlays/prod/kustomization.yaml"])
    assert isinstance(plan, Abstained)
    assert "a/overlays/prod/web-patch.yaml is not among the paths" in plan.reason


def test_a_value_two_clusters_share_by_one_overlay_is_refused() -> None:
    """Harm: staging and production are built from one folder, and both change."""
    given = files(PROD) | {
        "c/kustomization.yaml": f"{HEAD}resources: [../a/overlays/prod]\n".encode(),
        "d/kustomization.yaml": (
            f"{HEAD}namespace: other\nresources: [../a/overlays/prod]\n".encode()
        ),
    }
    assert "several roots" in refused(given) or "shared" in refused(given)


def test_the_field_is_put_where_it_belongs_whatever_it_is_called() -> None:
    """Harm: a key with a slash becomes three keys."""
    base = deployment("web").replace(b'{team: checkout, environment: "prod"}', b"{a.b/c: one}")
    made = written(
        files(PROD) | {"a/base/web.yaml": base},
        field='metadata.labels["a.b/c"]', current="one", proposed="two",
    )  # fmt: skip
    assert made["a/overlays/prod/web-patch.yaml"].endswith(
        'metadata:\n  name: web\n  namespace: shop\n  labels:\n    "a.b/c": two\n'
    )
    assert CPU not in made
