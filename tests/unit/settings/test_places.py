"""Where sources deliver: paths start from the file, URLs stay as written, and hold no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import Settings, load
from finops_dagster.settings.reading import named_paths


def settings(folder: Path, place: str) -> Settings:
    path = folder / "finops.yaml"
    path.write_text(f"estate: acme\nbilling:\n  - name: cloud\n    path: {place}\n")
    return load(path)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/exports/focus",
        "gs://bucket/exports",
        "az://container/exports",
        "abfs://container@account.dfs.core.windows.net/exports",
        "https://host:8443/deliveries/",
        "https://host/bill.csv?v=1",
    ],
)
def test_a_url_stays_as_it_is_written(tmp_path: Path, url: str) -> None:
    """As a path it loses a slash, and names a folder of this machine that nobody has."""
    loaded = settings(tmp_path, url)
    assert loaded.billing[0].path == url
    assert list(named_paths(loaded)) == []  # nothing that must be on this machine


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKID:hush-hush@bucket/x",
        "https://me:hush-hush@host/x",
        "s3://bucket/x?X-Amz-Signature=1",
        "az://container/x?sig=1",
        "ftp://host/x",
        "7",
    ],
)
def test_a_place_that_cannot_be_is_refused_without_showing_a_password(
    tmp_path: Path, url: str
) -> None:
    """A password in the file is one in its repository; in an error it is in a log as well."""
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, url)
    (fault,) = caught.value.faults
    assert (fault.code, fault.column, fault.row) == ("bad_value", "billing[0].path", 4)
    assert "hush-hush" not in str(fault)


def test_a_path_still_starts_from_the_folder_of_the_file(tmp_path: Path) -> None:
    """A URL is told from a path by its `://`, not by guessing."""
    (tmp_path / "s3").mkdir()
    assert settings(tmp_path, "s3").billing[0].path == (tmp_path / "s3").resolve()
