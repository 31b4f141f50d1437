"""Sources of runs in finops.yaml: which places they may have, where their credentials are from."""

from __future__ import annotations

from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import Settings, hide_secrets, load
from finops_dagster.settings.environment import child_environment

MINIMAL = "estate: acme\nbilling: [{name: cloud, path: bill.csv}]\n"


def loaded(folder: Path, text: str) -> Settings:
    (folder / "bill.csv").write_text("BilledCost\n")
    path = folder / "finops.yaml"
    path.write_text(MINIMAL + text)
    return load(path)


def test_a_store_is_a_path_and_a_server_a_url(tmp_path: Path) -> None:
    """MLflow's own way to name a SQLite store must not be taken for a server."""
    (tmp_path / "m.db").write_bytes(b"")
    settings = loaded(
        tmp_path,
        f"runs:\n- {{name: a, path: 'sqlite:///{tmp_path}/m.db'}}\n- {{name: b, path: m.db}}\n"
        "- {name: c, path: 'http://ml:5000/x'}\n",
    )
    assert [one.path for one in settings.runs] == [
        tmp_path / "m.db", tmp_path / "m.db", "http://ml:5000/x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("postgresql://ml@db/x", "its server is asked"),
        ("mysql+pymysql://db/x", "its server is asked"),
        ("s3://bucket/x", "http"),
        ("http://me:secret@ml", "no password"),
    ],
)
def test_other_places_are_refused_with_what_to_do(tmp_path: Path, path: str, told: str) -> None:
    """A store that cannot be read must not load as one without runs."""
    with pytest.raises(SettingsError) as error:
        loaded(tmp_path, f"runs: [{{name: a, path: '{path}'}}]\n")
    assert told in " ".join(str(fault) for fault in error.value.faults)


def test_credentials_come_from_the_environment_and_go_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token in a file, a dump, a log or a child process is a token lost."""
    monkeypatch.setenv("FINOPS_CREDENTIALS__MY_ML__TOKEN", "tok-987654")
    settings = loaded(tmp_path, "runs: [{name: my-ml, path: 'http://ml'}]\n")
    token = settings.credentials_of("my-ml").token
    assert token is not None
    assert token.get_secret_value() == "tok-987654"
    assert settings.credentials_of("other").token is None
    assert "tok-987654" not in f"{settings!r} {settings.model_dump_json()}"
    assert "tok-987654" not in hide_secrets("it is tok-987654")
    assert "FINOPS_CREDENTIALS__MY_ML__TOKEN" not in child_environment()
    with pytest.raises(SettingsError, match="secret"):
        loaded(tmp_path, "credentials: {my-ml: {token: abc}}\n")
