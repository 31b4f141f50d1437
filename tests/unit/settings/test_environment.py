"""What a child process is given, and that nothing else reads the environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from finops_dagster.settings import (
    child_environment,
    hide_secrets,
    telemetry_off,
    unknown_variables,
)
from finops_dagster.settings.cron import cron_fault
from finops_dagster.settings.environment import CREDENTIALS, PREFIX, SECRETS
from finops_dagster.settings.model import SECRET_KEYS

PACKAGE = Path(__file__).parents[3] / "finops_dagster"


def test_children_get_no_secret_and_no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """dbt runs SQL from models: it has no use for a token; and nothing phones home."""
    monkeypatch.setenv("FINOPS_GITHUB_TOKEN", "tok")
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    child = child_environment(FINOPS_WAREHOUSE="/x/warehouse.duckdb")
    assert "FINOPS_GITHUB_TOKEN" not in child
    assert child["FINOPS_WAREHOUSE"] == "/x/warehouse.duckdb"
    assert child["DO_NOT_TRACK"] == "1"
    assert child["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert child_environment(secrets=True)["FINOPS_GITHUB_TOKEN"] == "tok"


def test_every_secret_is_kept_from_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is added to the settings alone would reach dbt and the logs."""
    assert {f"{PREFIX}{name.upper()}" for name in SECRET_KEYS} == {*SECRETS, CREDENTIALS}
    names = (*SECRETS, f"{CREDENTIALS}__GRID__TOKEN")
    for name in names:
        monkeypatch.setenv(name, f"value-of-{name}")
    assert set(names).isdisjoint(child_environment())
    assert "value-of" not in hide_secrets(" ".join(f"value-of-{name}" for name in names))


def test_children_find_our_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """`.venv/bin/finops` is called without an activated environment; dbt must be found."""
    import shutil

    monkeypatch.setenv("PATH", "/usr/bin")
    assert shutil.which("dbt", path=child_environment()["PATH"]) is not None


def test_telemetry_choice_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who switched something on purposely is not overruled."""
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    telemetry_off()
    assert child_environment()["DO_NOT_TRACK"] == "0"


def test_variables_that_set_nothing_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """FINOPS_ACTT=false would leave act on, and nobody would see why."""
    monkeypatch.setenv("FINOPS_ACTT", "false")
    monkeypatch.setenv("FINOPS_LIMITS__OPEN_PULL_REQUESTS", "1")
    unknown = unknown_variables(frozenset({"act", "limits"}))
    assert unknown["FINOPS_ACTT"] == "FINOPS_ACT"
    assert "FINOPS_LIMITS__OPEN_PULL_REQUESTS" not in unknown


@pytest.mark.parametrize(
    "text",
    ["0 6 * * *", "*/5 * * * *", "0 0-6/2 1,15 jan-mar MON-FRI", "0 6 * * 7", "* * * * *"],
)
def test_cron_schedules_are_accepted(text: str) -> None:
    """A false alarm here would stop an estate that runs well."""
    assert cron_fault(text) is None


@pytest.mark.parametrize(
    "text",
    ["", "daily", "0 6 * *", "60 6 * * *", "0 24 * * *", "0 6 0 * *", "0 6 * 13 *", "0 6 * * 8",
     "*/0 6 * * *", "9-3 6 * * *", "0 6 * * funday", "0 6 * * * *", "-1 6 * * *", "0 6 1- * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """A schedule that never fires looks like a quiet estate."""
    assert cron_fault(text) is not None


def test_only_settings_reads_the_environment() -> None:
    """A key read elsewhere is untyped, undescribed and missing from docs/settings.md."""
    readers = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "settings":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}:
                readers.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert readers == []
