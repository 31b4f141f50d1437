"""Stores of measurements: how they are named in finops.yaml, and how credentials reach them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import child_environment, hide_secrets, load
from finops_dagster.sources.prometheus import PrometheusSource

STORE = """
estate: acme
billing: [{name: cloud, path: bill.csv}]
telemetry:
  - name: cluster-a
    path: https://prom.example.org/prometheus
    format: prometheus
    prometheus: {cluster: c1, matchers: ['env="prod"']}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "bill.csv").write_text("BilledCost\n")
    path = folder / "finops.yaml"
    path.write_text(text)
    return path


def test_a_store_gets_its_own_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the file is a token in Git; one for all stores is one too many for each."""
    monkeypatch.setenv("FINOPS_CREDENTIALS__CLUSTER_A__TOKEN", "t0ken")
    monkeypatch.setenv("FINOPS_CREDENTIALS__CLUSTER_A__HEADERS", '{"X-Scope-OrgID": "shop"}')
    monkeypatch.setenv("FINOPS_CREDENTIALS__OTHER__TOKEN", "another")
    settings = load(written(tmp_path, STORE))
    (source,) = Estate(settings).sources("measurements")
    assert isinstance(source, PrometheusSource)
    assert source.where == "https://prom.example.org/prometheus"
    assert source.options.matchers == ('env="prod"',)
    assert source.credentials.token == "t0ken"
    assert source.credentials.headers == {"X-Scope-OrgID": "shop"}
    assert "t0ken" not in repr(settings) + repr(source) + settings.model_dump_json()
    assert hide_secrets("refused t0ken") == "refused **********"
    assert not [name for name in child_environment() if name.startswith("FINOPS_CREDENTIALS")]


def test_credentials_in_the_file_are_refused(tmp_path: Path) -> None:
    """What is committed once is known for ever."""
    text = STORE + "credentials: {cluster_a: {token: t0ken}}\n"
    with pytest.raises(SettingsError) as raised:
        load(written(tmp_path, text))
    (fault,) = raised.value.faults
    assert (fault.code, fault.column) == ("secret_in_file", "credentials")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format: prometheus", "format: files", "needs format: prometheus"),
        ("    prometheus: {cluster: c1, matchers: ['env=\"prod\"']}\n", "", "needs a section"),
        ("https://prom.example.org/prometheus", "bill.csv", "the URL of its API"),
        ("cluster: c1,", "cluster: c1, cluster_label: c,", "cluster_label"),
        ("cluster: c1,", "cluster: c1, step_seconds: 700,", "divide a day"),
        ("'env=\"prod\"'", "'env=prod'", "match"),
        ("'env=\"prod\"'", "'a=\"b\"}) or vector(1) #'", "match"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """A mistake found at the first query is found at three in the morning."""
    assert old in STORE
    with pytest.raises(SettingsError) as raised:
        load(written(tmp_path, STORE.replace(old, new)))
    said: Any = " ".join(str(fault) for fault in raised.value.faults)
    assert words in said


def test_sources_of_files_stay_as_they_were(tmp_path: Path) -> None:
    """An estate that runs must not stop for a format it does not use."""
    text = STORE.split("telemetry:")[0] + "telemetry: [{name: t, path: data}]\n"
    (tmp_path / "data").mkdir()
    settings = load(written(tmp_path, text))
    assert settings.telemetry[0].format == "files"
    assert settings.telemetry[0].path == (tmp_path / "data").resolve()
