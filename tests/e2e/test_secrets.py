"""Secrets are in nothing that a run writes or says, whatever goes wrong."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.estate import AGAIN, CANARIES, Answer, World, finops, process
from tests.e2e.test_github import on_github

FORGE_CANARIES = {
    "FINOPS_GITHUB_TOKEN": "canary-of-the-github-token",
    "FINOPS_COMMIT_SIGNING_KEY": "canary-of-the-signing-key",
}
SECRETS = [
    text
    for name, text in {**CANARIES, **FORGE_CANARIES}.items()
    if not name.endswith(("USERNAME", "HEADERS"))
] + ["canary-of-a-header"]


def leaks(folder: Path, answers: Iterable[Answer]) -> list[tuple[str, str]]:
    """(where, which secret) of each that is found in a file or in what was said."""
    found = [
        (str(path.relative_to(folder)), secret)
        for path in folder.rglob("*")
        if path.is_file()
        for data in [path.read_bytes()]
        for secret in SECRETS
        if secret.encode() in data
    ]
    for answer in answers:
        said = f"{answer.out}{answer.err}"
        found += [("said", secret) for secret in SECRETS if secret in said]
    return found


def test_the_whole_loop_writes_no_secret(world: World) -> None:
    """Harm: a key lies in a log, a report, the ledger or Dagster's home, where many can read it."""
    answers = [Answer(**value) for value in asdict(world).values() if isinstance(value, dict)]
    assert [one.code for one in answers] == [0, 0, 0]
    assert (world.folder / ".finops" / "dagster").is_dir()
    assert (world.folder / ".finops" / "ledger" / "chain.jsonl").is_file()
    assert leaks(world.folder, answers) == []


class Echo(BaseHTTPRequestHandler):
    """A forge that fails, and puts all that it was told into its answer."""

    def do_GET(self) -> None:
        body = f'{{"message": "cannot serve {self.path} to {self.headers["Authorization"]}"}}'
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_PATCH = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what was asked is none of the test's output."""


@pytest.fixture
def failing_forge() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def test_a_forge_that_fails_with_the_token_in_its_answer_gives_no_secret_away(
    another_estate: Callable[..., Path], failing_forge: str
) -> None:
    """Harm: an error message, which people paste into tickets, holds the token."""
    estate = another_estate()
    on_github(estate, f"http://{failing_forge}", "acme/estate")
    answers = [
        finops(estate, *command, **FORGE_CANARIES)
        for command in (("prs",), ("prs", "--json"), ("why", "1"), ("dashboard",), ("doctor",))
    ]
    answers.append(
        process([sys.executable, "-c", AGAIN, str(estate / "finops.yaml")], estate,
                **FORGE_CANARIES)
    )  # fmt: skip
    assert answers[0].code != 0
    assert answers[-1].code != 0
    assert leaks(estate, answers) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Harm: the tests above pass because they look at nothing."""
    (tmp_path / "log").write_text(f"token {FORGE_CANARIES['FINOPS_GITHUB_TOKEN']}")
    said = Answer(1, "", CANARIES["FINOPS_PRIVACY_KEY"])
    assert leaks(tmp_path, [said]) == [
        ("log", "canary-of-the-github-token"),
        ("said", CANARIES["FINOPS_PRIVACY_KEY"]),
    ]
