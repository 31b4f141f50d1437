"""Exports: what others load says what our own bundle says."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.errors import SettingsError
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.documents import read_documents
from finops_dagster.policy.export import export
from finops_dagster.policy.foreign import load_foreign
from finops_dagster.policy.functions import functions_of
from finops_dagster.policy.judges import RegorusJudge

ROOT = Path(__file__).parents[3]


def samples() -> list[tuple[str, Any]]:
    """Every document of every sample of the shipped bundle."""
    return [
        (f"{file.parent.parent.parent.name}/{file.name}#{document.index}", document.content)
        for file in sorted((ROOT / "policies").glob("*/*/samples/*/*.yaml"))
        for document in read_documents(file)
    ]


def is_input(content: Any) -> bool:
    return isinstance(content, dict) and "resource" in content and "context" in content


def test_an_opa_bundle_says_the_same(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: the server that loads the export decides by other rules or limits than ours."""
    exported = export(bundle, "opa-bundle", tmp_path / "out")
    assert exported.files == ("bundle.tar.gz",)
    content = (tmp_path / "out" / "bundle.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        names = tar.getnames()
        tar.extractall(tmp_path / "unpacked", filter="data")
    manifest = json.loads((tmp_path / "unpacked" / ".manifest").read_text())
    assert manifest["revision"] == bundle.id
    assert manifest["rego_version"] == 1
    assert {"finops", "limits"} <= set(manifest["roots"])
    assert all(not name.startswith("/") and ".." not in name for name in names)
    assert not [name for name in names if name.endswith("_test.rego")]
    ours = RegorusJudge(bundle)
    theirs = RegorusJudge(RegoBundle.load(tmp_path / "out" / "bundle.tar.gz"))
    asked = 0
    for name, given in samples():
        if is_input(given):
            documents = [(judge.judge_document(given, name)) for judge in (ours, theirs)]
        else:
            documents = [
                judge.judge_manifest(one, name)
                for one in (functions_of(given) or [given])[:1]
                for judge in (ours, theirs)
            ]
        first, second = documents
        assert (first.decision, first.rules) == (second.decision, second.rules), name
        asked += 1
    assert asked > 20


def test_gatekeeper_says_the_same(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: the cluster admits what a pull request was refused for, or the other way round."""
    exported = export(bundle, "gatekeeper", tmp_path / "out")
    ours, theirs = RegorusJudge(bundle), load_foreign(tmp_path / "out")
    seen: set[Decision] = set()
    for name, given in samples():
        if is_input(given):
            continue
        for manifest in functions_of(given) or [given]:
            verdict = ours.judge_manifest(manifest, name)
            answer = theirs.judge_manifest(manifest, name)
            assert answer.decision is verdict.decision, (name, answer.rules)
            spoke = [rule for rule in verdict.rules if rule.decision is not Decision.ALLOW]
            assert len(answer.rules) == len(spoke), name
            for rule in spoke:
                said = f"{rule.title}: {rule.actual} (limit: {rule.limit})"
                assert any(one.title.startswith(said[:200]) for one in answer.rules), name
            seen.add(verdict.decision)
    assert seen == set(Decision)
    proposals = {rule.id for rule in bundle.rules.values() if "manifest" not in rule.judges}
    assert {one.subject for one in exported.left_out} == proposals


def test_templates_are_in_gatekeepers_form(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: Gatekeeper refuses the export when a platform team applies it."""
    exported = export(bundle, "gatekeeper", tmp_path / "out")
    kinds = set()
    for name in exported.files:
        document = YAML(typ="safe").load(tmp_path / "out" / name)
        if name.startswith("constraints/"):
            kinds.add(document["kind"])
            continue
        kind = document["spec"]["crd"]["spec"]["names"]["kind"]
        assert document["apiVersion"] == "templates.gatekeeper.sh/v1"
        assert document["metadata"]["name"] == kind.lower()
        (target,) = document["spec"]["targets"]
        (code,) = target["code"]
        assert (code["engine"], code["source"]["version"]) == ("Rego", "v1")
        assert code["source"]["rego"].startswith("package ")
        for lib in code["source"]["libs"]:
            assert "\npackage lib." in f"\n{lib}"
            # A template may refer to data.lib and data.inventory, and to nothing else.
            for line in lib.splitlines():
                if not line.lstrip().startswith("#"):
                    assert not re.search(r'(?<![\w"])data\.(?!lib\b)', line), line
    assert kinds


def test_an_export_is_repeatable_and_careful(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: an export that changes by itself fills every diff, or takes other files with it."""
    for form in ("gatekeeper", "opa-bundle"):
        folder = tmp_path / form
        names = export(bundle, form, folder).files
        before = {name: (folder / name).read_bytes() for name in names}
        export(bundle, form, folder)
        assert {name: (folder / name).read_bytes() for name in names} == before
        (folder / "mine.txt").write_text("mine")
        with pytest.raises(SettingsError, match=r"other files, such as mine\.txt"):
            export(bundle, form, folder)
        (folder / names[0]).write_bytes(b"")
        export(bundle, form, folder, force=True)
        assert (folder / names[0]).read_bytes() == before[names[0]]
        assert (folder / "mine.txt").read_text() == "mine"
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="is no folder"):
        export(bundle, "opa-bundle", tmp_path / "file")
