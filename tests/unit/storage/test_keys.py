"""The installation's secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.storage.keys import installation_key


def test_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    """A second key would make hashes that no label joins; a readable one is no secret."""
    path = tmp_path / "state" / "privacy.key"
    key = installation_key(path)
    assert len(key) == 32
    assert installation_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["privacy.key"]


@pytest.mark.parametrize("text", ["", "ab", "g" * 64])
def test_damaged_key_is_refused(tmp_path: Path, text: str) -> None:
    """An empty key hashes as well as no key: whoever has the hashes has the names."""
    path = tmp_path / "privacy.key"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(SettingsError, match="hexadecimal") as error:
        installation_key(path)
    assert error.value.faults[0].file == str(path)


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Who can read the key can look names up."""
    path = tmp_path / "privacy.key"
    installation_key(path)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="mode 0600"):
        installation_key(path)
