"""The loop against GitHub, through an emulator of its API."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import github
import pytest

from finops_dagster import runner
from finops_dagster.settings import load
from tests.contract.hosts import TOKEN, GitHubHost, github_or_skip
from tests.e2e.estate import Answer, World, finops, git

SECRET = {"FINOPS_GITHUB_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with github_or_skip(tmp_path_factory.mktemp("emulator")) as found:
        yield found


def declared(repository: Path) -> dict[str, bytes]:
    """Every file of the repository's main branch."""
    names = git(repository, "ls-tree", "-r", "-z", "--name-only", "main").split("\0")
    return {
        name: subprocess.run(
            ["git", "-C", str(repository), "show", f"main:{name}"], capture_output=True, check=True
        ).stdout
        for name in names
        if name
    }


def on_github(estate: Path, url: str, name: str) -> None:
    """Let the estate's desired state be a repository on GitHub."""
    config = estate / "finops.yaml"
    text, changed = re.subn(
        r"(?m)^  forge: local\n  repository: .*$",
        f"  forge: github\n  api_url: {url}\n  repository: {name}",
        config.read_text("utf-8"),
    )
    assert changed == 1
    config.write_text(text, encoding="utf-8")


def test_pull_requests_live_on_github(
    world: World,
    another_estate: Callable[..., Path],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Harm: what works on a local repository opens nothing, or everything twice, where people
    review; or a log that anyone may read holds the token.
    """
    files = declared(world.repository)
    host = GitHubHost(url, files)
    estate = another_estate()
    for name in ("chain.jsonl", "head.json"):
        (estate / ".finops" / "ledger" / name).unlink()
    on_github(estate, url, host.name)
    answers: list[Answer] = []

    def command(*arguments: str) -> Answer:
        answers.append(finops(estate, *arguments, **SECRET))
        return answers[-1]

    refused = finops(estate, "prs", "--json")
    assert refused.code == 2
    assert "FINOPS_GITHUB_TOKEN" in refused.err

    first = command("run", "--json")
    assert first.code == 0, first.out + first.err
    assert first.json["opened"] >= 5

    pulls = github.Github(auth=github.Auth.Token(TOKEN), base_url=url).get_repo(host.name)
    seen = {pull.number: pull for pull in pulls.get_pulls("open")}
    items = {one["number"]: one for one in command("prs", "--json").items}
    assert len(seen) == len(items) == first.json["opened"]
    local = {one["key"]: one for one in world.finops("prs", "--json").items}
    for number, item in items.items():
        assert seen[number].title == item["title"]
        assert seen[number].html_url == item["url"]
        assert seen[number].head.ref == item["branch"]
        # the same decision as on a local repository: only the host differs
        assert item["fingerprint"] == local[item["key"]]["fingerprint"]
        if len(item["files"]) == 2:  # a patch of an overlay's own, and the line that lists it
            continue
        (changed,) = item["files"]
        if changed["path"] not in files:  # a card is a file of its own
            continue
        before, after = files[changed["path"]], host.file(item["branch"], changed["path"])
        lines = [
            pair
            for pair in zip(before.splitlines(), after.splitlines(), strict=True)
            if pair[0] != pair[1]
        ]
        assert len(lines) == changed["hunks"] == 1

    monkeypatch.setenv("FINOPS_GITHUB_TOKEN", TOKEN)
    settings = load(estate / "finops.yaml")

    def again() -> dict[str, int]:
        done = runner.run(settings, jobs=("publish_changes",), say=lambda _: None)
        assert done.exit_code == 0, done.stopped
        actions = command("prs", "--state", "open", "--json").items
        return {one["key"]: one["number"] for one in actions}

    assert again() == {one["key"]: number for number, one in items.items()}

    number = min(items)
    assert command("pr", "close", str(number), "--json").items[0]["state"] == "rejected"
    assert pulls.get_pull(number).state == "closed"
    assert items[number]["branch"] not in host.branches()
    now = again()
    assert items[number]["key"] not in now, "a person's no is not overridden"
    shown = command("pr", "show", str(max(items)), "--json").items[0]
    assert shown["body"] and shown["diff"].count("\n@@") == 1

    assert not [one for one in answers if TOKEN in one.out + one.err]
    kept = [path for path in (estate / ".finops").rglob("*") if path.is_file()]
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]
