"""What every command does with an error: told in full, without what must not be told."""

from __future__ import annotations

import json

import pytest
import typer

from finops_dagster.cli.common import command
from finops_dagster.domain.errors import Fault, Unavailable

TOKEN = "canary-of-the-github-token"


@command("failing")
def failing(as_json: bool = False) -> int:
    raise Unavailable(
        f"https://reader:{TOKEN}@forge.example does not answer",
        (Fault(code="forge", file=f"x?key={TOKEN}", expected=f"got {TOKEN}", hint=f"not {TOKEN}"),),
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_no_part_of_an_error_holds_a_secret(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Harm: the message is masked and the fault below it, or the JSON of it, holds the token."""
    monkeypatch.setenv("FINOPS_GITHUB_TOKEN", TOKEN)
    with pytest.raises(typer.Exit) as stopped:
        failing(as_json=as_json)
    assert stopped.value.exit_code == 3
    said = capsys.readouterr()
    assert TOKEN not in said.out + said.err
    assert "does not answer" in said.err
    assert "got **********" in said.err
    if as_json:
        assert json.loads(said.out)["errors"][0]["hint"] == "not **********"
