"""CODEOWNERS of a commit: from the first of GitHub's places that has one."""

from __future__ import annotations

from pathlib import Path

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.gitops.owners import code_owners
from finops_dagster.settings import load
from tests.builders import bare_repository, git


def estate(folder: Path, files: dict[str, bytes]) -> tuple[Estate, str]:
    bare = bare_repository(folder, {"apps/web.yaml": b"a: 1\n", **files})
    config = folder / "finops.yaml"
    (folder / "bills").mkdir()
    config.write_text(
        f"estate: small\nstart: 2026-01-01\nbilling: [{{name: aws, path: bills}}]\n"
        f"desired_state: {{repository: {bare}, branch: main}}\n"
    )
    return Estate(load(config)), git(bare, "rev-parse", "main").strip()


def test_the_first_place_counts(tmp_path: Path) -> None:
    """Harm: a left-over file in another folder names the approvers."""
    found = estate(
        tmp_path, {"docs/CODEOWNERS": b"* @old\n", "CODEOWNERS": b"* @root\n",
                   ".github/CODEOWNERS": b"* @ann\n"},
    )  # fmt: skip
    assert code_owners(*found) == "* @ann\n"


def test_none_is_no_text(tmp_path: Path) -> None:
    """Harm: a repository without the file cannot be worked on."""
    assert code_owners(*estate(tmp_path, {"apps/CODEOWNERS": b"* @no\n"})) == ""
