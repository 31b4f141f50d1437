"""A policy bundle written as others load it: OPA's tarball here, Gatekeeper's files in gatekeeper.

https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format. Nothing is judged.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.gatekeeper import gatekeeper_files
from finops_dagster.policy.inputs import mapping
from finops_dagster.policy.metadata import package_of


@dataclass(frozen=True)
class Exported:
    """Names of the files written, and what could not be expressed there, with the reason."""

    files: tuple[str, ...]
    left_out: tuple[Abstained, ...]


def export(bundle: RegoBundle, form: str, folder: Path, *, force: bool = False) -> Exported:
    """Write `bundle` to `folder` as `opa-bundle` or `gatekeeper`; twice, and nothing changes.

    Raises SettingsError where `folder` holds other files and `force` is not given: what is there
    is never removed.
    """
    if form == "opa-bundle":
        files, left_out = {"bundle.tar.gz": opa_bundle(bundle)}, list[Abstained]()
    else:
        files, left_out = gatekeeper_files(bundle)
    _write(folder, files, force=force)
    return Exported(tuple(sorted(files)), tuple(left_out))


def opa_bundle(bundle: RegoBundle) -> bytes:
    """The bundle as a gzipped tarball: .manifest, data.json, policies. Its tests stay here."""
    roots = {package_of(source.text).partition(".")[0] for source in bundle.policies}
    roots |= {*bundle.data, *_own_roots(bundle.root / ".manifest")}
    manifest = {"revision": bundle.id, "roots": sorted(roots), "rego_version": 1}
    files = {".manifest": _json(manifest), "data.json": _json(bundle.data)}
    files |= {source.name: source.text for source in bundle.policies}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in sorted(files.items()):
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def _own_roots(manifest: Path) -> list[str]:
    """Roots that the bundle claims itself, data that others may not give it included."""
    try:
        written = mapping(json.loads(manifest.read_bytes()))
    except (OSError, ValueError):
        return []
    roots = written.get("roots")
    return [one for one in roots if isinstance(one, str)] if isinstance(roots, list) else []


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _write(folder: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise _not_there(folder, "is no folder", "Name a folder.")
    present = {one.relative_to(folder).as_posix() for one in _present(folder)}
    others = sorted(present - set(files))
    if others and not force:
        raise _not_there(
            folder, f"holds other files, such as {others[0]}", "Name another, or give --force."
        )
    for name, content in files.items():
        file = folder / PurePosixPath(name)
        if file.is_file() and not file.is_symlink() and file.read_bytes() == content:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as made:
            made.write(content)
        os.chmod(made.name, 0o644)
        os.replace(made.name, file)


def _present(folder: Path) -> Iterator[Path]:
    for one in folder.rglob("*"):
        if not one.is_dir() or one.is_symlink():
            yield one


def _not_there(folder: Path, what: str, hint: str) -> SettingsError:
    fault = Fault(
        code="policy_export",
        file=str(folder),
        expected=f"A folder to write to; it {what}.",
        hint=hint,
    )
    return SettingsError(f"policy export: {folder} {what}", (fault,))
