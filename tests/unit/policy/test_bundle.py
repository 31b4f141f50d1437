"""Loading a bundle: its identity, its METADATA, and every way it can be broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.metadata import read_metadata

VERDICT = 'package finops\nimport rego.v1\nverdict := {"decision": "allow", "rules": []}\n'


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_shipped_bundle(bundle: RegoBundle) -> None:
    """Harm: the shipped folder loads by accident, without its limits or its rules."""
    assert set(bundle.data) == {"limits"}
    assert {rule.package for rule in bundle.rules.values() if rule.id == "spend.ceiling"} == {
        "finops.rules.spend.ceiling"
    }
    topics = {id_.split(".")[0] for id_ in bundle.rules}
    assert topics >= {"labels", "spend", "compute", "serverless", "sizing", "change", "policy"}
    assert topics >= {"approval", "autonomy"}


def test_id_follows_policies_and_data_alone(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: two bundles that judge differently share an id, or a new test changes every id."""
    copy = tmp_path / "policies"
    shutil.copytree(bundle.root, copy)
    assert RegoBundle.load(copy).id == bundle.id
    (copy / "lib" / "more_test.rego").write_text("package finops.tests.more\n")
    (copy / "README.md").write_text("words")
    assert RegoBundle.load(copy).id == bundle.id
    limits = copy / "limits" / "data.yaml"
    limits.write_text(limits.read_text().replace("near_share: 0.9", "near_share: 0.8"))
    changed = RegoBundle.load(copy).id
    assert changed != bundle.id
    (copy / "verdict.rego").write_text((copy / "verdict.rego").read_text() + "\n")
    assert RegoBundle.load(copy).id not in {changed, bundle.id}


def test_data_lies_at_the_path_of_its_folder(tmp_path: Path) -> None:
    """Harm: an OPA server and the embedded engine see the same limits in different places."""
    root = write(
        tmp_path,
        {
            "v.rego": VERDICT,
            "data.json": '{"top": 1}',
            "a/b/data.yaml": "c: 2",
            "a/other.yaml": "not: data",
            "a/samples/data.yaml": "not: data",
        },
    )
    assert RegoBundle.load(root).data == {"top": 1, "a": {"b": {"c": 2}}}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds no .rego file"),
        ({"v.rego": "package finops\nverdict := {"}, "does not compile"),
        ({"v.rego": "package finops\nimport rego.v1\nverdict := x\n"}, "does not compile"),
        ({"v.rego": "package other\nimport rego.v1\nallow := 1\n"}, "does not compile"),
        ({"v.rego": "verdict := 1"}, "declares no package"),
        ({"v.rego": VERDICT, "data.yaml": "a: [1"}, "not plain data"),
        ({"v.rego": VERDICT, "data.yaml": "a: .nan"}, "not plain data"),
        ({"v.rego": VERDICT, "data.yaml": "a: 2026-01-01"}, "not plain data"),
        ({"v.rego": VERDICT, "data.yaml": "- a"}, "not a mapping"),
        ({"v.rego": VERDICT, "data.yaml": "a: 1", "data.json": '{"a": 2}'}, "a second time"),
        ({"v.rego": VERDICT + "# METADATA\n# title: [\n"}, "METADATA is not YAML"),
        ({"v.rego": VERDICT + "# METADATA\n# custom: {id: a}\n"}, "METADATA lacks title"),
    ],
)
def test_broken_bundles(tmp_path: Path, files: dict[str, str], says: str) -> None:
    """Harm: a typing error in policy is found at the first proposal, or never."""
    with pytest.raises(SettingsError, match=says) as caught:
        RegoBundle.load(write(tmp_path, files))
    assert caught.value.faults[0].hint


def test_missing_folder(tmp_path: Path) -> None:
    """Harm: a wrong path in settings is an empty bundle that allows everything."""
    with pytest.raises(SettingsError, match="is no folder"):
        RegoBundle.load(tmp_path / "nowhere")


def test_repeated_ids(tmp_path: Path) -> None:
    """Harm: a verdict shows the title of another rule."""
    block = (
        "# METADATA\n# title: t\n# description: d\n"
        "# custom: {id: a.b, fix: f, judges: [manifest]}\n"
    )
    with pytest.raises(SettingsError, match=r"repeats the rule id a\.b"):
        RegoBundle.load(write(tmp_path, {"v.rego": VERDICT + block, "w.rego": VERDICT + block}))


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Harm: a link in the bundle brings in policy from outside, unhashed by name."""
    outside = write(tmp_path / "outside", {"evil.rego": "package finops\nnonsense"})
    root = write(tmp_path / "bundle", {"v.rego": VERDICT})
    (root / "linked.rego").symlink_to(outside / "evil.rego")
    (root / "folder").symlink_to(outside)
    assert [source.name for source in RegoBundle.load(root).policies] == ["v.rego"]


def test_metadata_ends_with_its_comment() -> None:
    """Harm: the title of one rule runs on into the next."""
    text = (
        "package finops.rules.a.b\n\n# METADATA\n# title: One\n# description: >-\n#   two\n"
        "#   lines\n# custom:\n#   id: a.b\n#   fix: Do it.\n#   judges: [proposal]\n"
        "results contains 1\n\n# METADATA\n# title: no rule of ours\n"
    )
    (rule,) = read_metadata("rule.rego", text)
    assert (rule.title, rule.description, rule.line) == ("One", "two lines", 3)
    assert (rule.package, rule.judges) == ("finops.rules.a.b", ("proposal",))
