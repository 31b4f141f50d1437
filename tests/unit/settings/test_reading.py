"""finops.yaml to Settings: what is accepted, and that every refusal names its place."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.settings import Settings, find_config, load

MINIMAL = "estate: acme\nbilling:\n  - name: cloud\n    path: bill.csv\n"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("FINOPS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bill.csv").write_text("BilledCost\n")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "finops.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> Fault:
    """The first fault of settings that must not load."""
    with pytest.raises(SettingsError) as caught:
        load(write(folder, text))
    assert caught.value.exit_code == 2
    fault: Fault = caught.value.faults[0]
    assert fault.expected
    assert fault.hint
    return fault


def test_minimal_settings_load_with_defaults(folder: Path) -> None:
    """A first look at one file must not need twenty keys."""
    settings = load(write(folder, MINIMAL))
    assert settings.billing[0].path == (folder / "bill.csv").resolve()
    assert settings.state_dir == (folder / ".finops").resolve()
    assert settings.act is False
    assert settings.decide_at == time(6)


def test_paths_start_from_the_settings_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Called from another folder (a daemon does), the same files must be read."""
    path = write(folder, MINIMAL)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load(path).billing[0].path == (folder / "bill.csv").resolve()


def test_values_are_typed(folder: Path) -> None:
    """A limit that went through a float would drift from what was written."""
    text = MINIMAL + "as_of: 2026-10-31\nlimits:\n  invoice_tolerance: 0.005\ndecide_at: '07:30'\n"
    settings = load(write(folder, text))
    assert settings.as_of == date(2026, 10, 31)
    assert settings.limits.invoice_tolerance == Decimal("0.005")
    assert settings.decide_at == time(7, 30)


def test_empty_sections_mean_their_defaults(folder: Path) -> None:
    """A section whose keys are all commented out is how the written template looks."""
    settings = load(write(folder, MINIMAL + "limits:\nmodels:\nas_of:\n"))
    assert settings.limits.open_pull_requests == 10
    assert settings.models == ()


@pytest.mark.parametrize(
    ("extra", "code", "row", "column", "says"),
    [
        ("actt: true\n", "unknown_key", 5, "actt", "Did you mean `act`?"),
        (
            "limits:\n  open_pull_request: 3\n",
            "unknown_key",
            6,
            "limits.open_pull_request",
            "Did you mean `open_pull_requests`?",
        ),
        ("min_confidence: 0.5\n", "unknown_key", 5, "min_confidence", "belongs under `limits`"),
        ("act: maybe\n", "bad_value", 5, "act", "'maybe'"),
        (
            "\n\nlimits:\n  open_pull_requests: 500\n",
            "bad_value",
            8,
            "limits.open_pull_requests",
            "less than or equal to 200",
        ),
        ("limits:\n  min_confidence: .nan\n", "bad_value", 6, "limits.min_confidence", "nan"),
        ("schedule: 0 25 * * *\n", "bad_value", 5, "schedule", "hour '25'"),
        ("as_of: 20261031\n", "bad_value", 5, "as_of", "2026-10-31"),
        ("decide_at: 6\n", "bad_value", 5, "decide_at", "06:00"),
        ("decide_at: '06:00+02:00'\n", "bad_value", 5, "decide_at", "UTC"),
        ("autonomy: full\n", "bad_value", 5, "autonomy", "'propose' or 'automerge'"),
        ("act: true\nact: false\n", "duplicate_key", 6, "act", "once"),
        (
            "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n"
            + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 6)),
            "unsupported_yaml",
            None,
            None,
            "aliases",
        ),
        ("x: " + "[" * 5000 + "\n", "bad_yaml", None, None, "YAML"),
        ("act: !!python/name:os.system x\n", "unsupported_yaml", 5, "act", "tag"),
        ("  act: true\n", "bad_yaml", None, None, "YAML"),
        ("act: [true\n", "bad_yaml", None, None, "YAML"),
        (
            "desired_state:\n  repository: gitops.git\n  branch: --upload-pack=x\n",
            "bad_value",
            7,
            "desired_state.branch",
            "pattern",
        ),
        (
            "desired_state:\n  forge: github\n  repository: acme\n",
            "bad_value",
            5,
            "desired_state",
            "OWNER/NAME",
        ),
        ("telemetry:\n  - name: t\n", "missing_key", 6, "telemetry[0].path", "File or directory"),
        ("policies: rules\n", "missing_path", 5, "policies", "nothing at"),
        ("telemetry: [{name: t, path: gone}]\n", "missing_path", 5, "telemetry[0].path", "gone"),
        ("github_token: abc\n", "secret_in_file", 5, "github_token", "FINOPS_GITHUB_TOKEN"),
        ("grid: {gap_hours: 24}\n", "bad_value", 5, "grid.gap_hours", "23"),
    ],
)
def test_refusals_name_key_and_line(
    folder: Path, extra: str, code: str, row: int | None, column: str | None, says: str
) -> None:
    """Settings that are wrong in silence, or wrong without a place, cost a person an evening."""
    fault = refused(folder, MINIMAL + extra)
    assert fault.code == code
    assert fault.file == str(folder / "finops.yaml")
    if row is not None:
        assert fault.row == row
    else:
        assert fault.row is None or fault.row >= 5
    if column is not None:
        assert fault.column == column
    assert says in str(fault)


def test_every_problem_is_told_at_once(folder: Path) -> None:
    """One fault per attempt means as many attempts as faults."""
    with pytest.raises(SettingsError) as caught:
        load(write(folder, MINIMAL + "actt: true\nschedule: daily\nhistory_days: 3\n"))
    assert {fault.column for fault in caught.value.faults} == {"actt", "schedule", "history_days"}


def test_one_cause_is_told_once(folder: Path) -> None:
    """A second fault that only follows from the first sends a person to the wrong line."""
    with pytest.raises(SettingsError) as caught:
        load(write(folder, "estate: acme\nbilling:\n  - name: cloud\n    path:\n"))
    assert [fault.column for fault in caught.value.faults] == ["billing[0].path"]


def test_missing_empty_and_foreign_files_are_refused(folder: Path) -> None:
    """A stack trace for a file that is not there tells nobody what to do."""
    with pytest.raises(SettingsError) as caught:
        load(folder / "absent.yaml")
    assert caught.value.faults[0].code == "unreadable_settings"
    with pytest.raises(SettingsError):
        load(folder)
    assert refused(folder, "").code == "empty_file"
    assert refused(folder, "# only a comment\n").code == "empty_file"
    assert refused(folder, "- a\n- b\n").code == "not_a_mapping"
    (folder / "finops.yaml").write_bytes(b"estate: \xff\xfe\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        load(folder / "finops.yaml")
    assert refused(folder, "estate: a\nbilling: []\n").column == "billing"


def test_missing_required_keys_are_named(folder: Path) -> None:
    """`billing` is the one thing nothing works without."""
    fault = refused(folder, "estate: acme\n")
    assert (fault.code, fault.column) == ("missing_key", "billing")


def test_paths_can_be_left_to_the_doctor(folder: Path) -> None:
    """The doctor reports on settings whose data is not there yet."""
    path = write(folder, MINIMAL + "policies: rules\n")
    assert load(path, check_paths=False).policies == (folder / "rules").resolve()


def test_environment_overrides_one_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container overrides one key; the rest of its section must stay."""
    path = write(folder, MINIMAL + "limits:\n  open_pull_requests: 3\n  new_pull_requests: 2\n")
    monkeypatch.setenv("FINOPS_LIMITS__OPEN_PULL_REQUESTS", "7")
    monkeypatch.setenv("FINOPS_ACT", "true")
    settings = load(path)
    assert settings.limits.open_pull_requests == 7
    assert settings.limits.new_pull_requests == 2
    assert settings.act is True


def test_token_comes_from_the_environment_and_is_never_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token in a log, a dump or an error message is a token lost."""
    monkeypatch.setenv("FINOPS_GITHUB_TOKEN", "tok-123456")
    settings = load(write(folder, MINIMAL))
    assert settings.github_token is not None
    assert settings.github_token.get_secret_value() == "tok-123456"
    assert "tok-123456" not in f"{settings!r} {settings.model_dump_json()}"
    fault = refused(folder, MINIMAL + "act: tok-123456\n")
    assert "tok-123456" not in str(fault)


@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("FINOPS_HISTORY_DAYS", "3", "FINOPS_HISTORY_DAYS"),
        ("FINOPS_BILLING", "not json", "FINOPS_BILLING"),
        ("FINOPS_LIMITS__NO_SUCH", "3", "FINOPS_LIMITS__NO_SUCH"),
        ("FINOPS_BILLING", '[{"name": "x", "path": "gone"}]', "FINOPS_BILLING"),
    ],
)
def test_faults_of_the_environment_name_the_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, column: str
) -> None:
    """A fault that points at a line of the file while the variable is wrong misleads."""
    monkeypatch.setenv(name, value)
    fault = refused(folder, MINIMAL)
    assert (fault.file, fault.column) == ("environment", column)


def test_find_config_prefers_argument_then_variable_then_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong estate's settings would send pull requests to the wrong repository."""
    assert find_config(None, folder) is None
    here = write(folder, MINIMAL)
    assert find_config(None, folder) == here.resolve()
    monkeypatch.setenv("FINOPS_CONFIG", "named.yaml")
    assert find_config(None, folder) == (folder / "named.yaml").resolve()
    assert find_config(Path("given.yaml"), folder) == (folder / "given.yaml").resolve()


def test_yesterday_is_decided_for_by_default(folder: Path) -> None:
    """Deciding for today would read half a day as a whole one."""
    from datetime import UTC, datetime

    settings: Settings = load(write(folder, MINIMAL))
    assert settings.decided_day(datetime(2026, 3, 1, 0, 5, tzinfo=UTC)) == date(2026, 2, 28)
