"""The written settings file and the reference page say what the model says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import Settings, load
from finops_dagster.settings.describing import describe
from finops_dagster.setup import reference
from finops_dagster.setup.template import init, render

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("FINOPS_"):
            monkeypatch.delenv(name)


def test_written_file_loads_once_the_bill_is_there(tmp_path: Path) -> None:
    """A template that must be mended before it loads teaches distrust."""
    path = tmp_path / "finops.yaml"
    text = init(path)
    assert path.read_text() == text
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert [fault.column for fault in caught.value.faults] == ["billing[0].path"]
    (tmp_path / "exports/cloud").mkdir(parents=True)
    assert load(path).estate == "my-company"


def test_billing_is_filled_in_and_hostile_names_stay_text(tmp_path: Path) -> None:
    """A file name with a quote or a colon must not become YAML."""
    bill = tmp_path / 'my: "bill" # x.csv'
    bill.write_text("BilledCost\n")
    init(tmp_path / "finops.yaml", billing=bill)
    assert load(tmp_path / "finops.yaml").billing[0].path == bill.resolve()


def test_every_key_is_in_the_template_and_valid_when_switched_on() -> None:
    """A template out of step with the model teaches keys that are refused."""
    text = render()
    switched_on = re.sub(r"^#(?=\s*(?:- )?[a-z_]+:)(?! [a-z_]+: )", "", text, flags=re.MULTILINE)
    from finops_dagster.documents.marks import read_marked

    settings = Settings(**read_marked(switched_on, "finops.yaml").data)
    assert settings.models[0].features
    assert settings.desired_state is not None
    for key in describe():
        if not key.secret:
            assert re.search(rf"^#?\s*(- )?{key.name}:", text, re.MULTILINE), key.path
            assert key.description, key.path
            assert key.description.split(";")[0][:30] in " ".join(text.replace("#", "").split())


def test_defaults_in_the_template_are_the_defaults() -> None:
    """A default that is shown wrongly is believed."""
    minimal = Settings(estate="a", billing=[{"name": "b", "path": "c"}])
    text = re.sub(r"^#(?=[a-z_]+: \S)", "", render(), flags=re.MULTILINE)
    from finops_dagster.documents.marks import read_marked

    shown = Settings(**read_marked(text, "finops.yaml").data)
    for name in ("decide_at", "history_days", "act", "autonomy", "schedule", "state_dir"):
        assert getattr(shown, name) == getattr(minimal, name), name


def test_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    """An evening's settings overwritten by a template cannot be had back."""
    path = tmp_path / "finops.yaml"
    path.write_text("estate: mine\n")
    with pytest.raises(SettingsError) as caught:
        init(path)
    assert caught.value.faults[0].code == "file_exists"
    assert path.read_text() == "estate: mine\n"
    init(path, force=True)
    assert "my-company" in path.read_text()


def test_reference_page_is_in_step() -> None:
    """docs/settings.md is written by `python -m finops_dagster.setup.reference`."""
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == reference.render()
