"""The files that `finops policy check` is given, and what the desired-state index reads of them.

Nothing is judged and nothing is printed here.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from finops_dagster.cli.common import is_bare
from finops_dagster.desired_state import RepositoryIndex, index_files
from finops_dagster.desired_state.nodes import Traced
from finops_dagster.domain.decisions import DeclaredResource
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.policy.kustomize import is_kustomization_file
from finops_dagster.policy.reading import Found, files_of
from finops_dagster.policy.subjects import Declared

STDIN = "-"
_CODE = (".tf", ".tofu", ".tfvars", ".hcl", ".tf.json", ".tofu.json", ".template")
"""Files of Terraform, OpenTofu and CloudFormation by their names."""
_TEMPLATES = (".yaml", ".yml", ".json")
_MARKS = (b"AWS::", b"AWSTemplateFormatVersion", b"functions:", b'"functions"')
"""What templates of CloudFormation, SAM and the Serverless Framework hold."""
_MAX_BYTES = 5_000_000
_HEADER = r'^[ \t]*(?:resource[ \t]+"?{0}"?[ \t]+"?{1}"?[ \t]*\{{|["\']?{1}["\']?[ \t]*:)'
"""How a resource of Terraform, of a template or of a service begins."""


@contextlib.contextmanager
def files_to_check(paths: Sequence[Path]) -> Iterator[tuple[list[Found], list[Path]]]:
    """Every file under `paths` with its name in the report, and the folders they are read from.

    Of one path names start from it, of several from the current folder. `-` is standard input; of
    a bare repository the files of its HEAD are read. Raises SettingsError for a path that is not.
    """
    with contextlib.ExitStack() as stack:
        files: list[Found] = []
        roots: list[Path] = []
        for path in paths:
            alone = len(paths) == 1
            at = stack.enter_context(_on_disk(path))
            if not at.exists():
                raise _absent(path)
            prefix = "" if alone else path.as_posix().rstrip("/").removeprefix("./")
            files += files_of(at, STDIN if str(path) == STDIN else "" if prefix == "." else prefix)
            roots.append(at if at.is_dir() else _repository(at))
        yield list(dict.fromkeys(files)), list(dict.fromkeys(roots))


def kustomizations_of(root: Path) -> Iterator[Path]:
    """Kustomizations under a folder: what they add counts where only one file is checked."""
    return (file for file, _ in files_of(root) if is_kustomization_file(file))


def declared_by(files: Sequence[Found], roots: Iterable[Path]) -> Declared:
    """What Terraform, CloudFormation, SAM and Serverless Framework files among `files` declare.

    A module is read whole, also where only one of its files is checked.
    """
    asked = {file.resolve() for file, _ in files if _may_declare(file)}
    resources: dict[Path, list[tuple[DeclaredResource, int, tuple[str, ...]]]] = {}
    refused: dict[Path, str] = {}
    for root in roots:
        within = {one for one in asked if one.is_relative_to(root.resolve())} - resources.keys()
        if not within:
            continue
        read = _contents(root, within)
        index = index_files(read)
        for name, one in index.resources().items():
            at = (root / one.file).resolve()
            if at in within and not _kubernetes(one):
                resources.setdefault(at, []).append(
                    (one, _line(index, name), _unknown(index, name))
                )
        refused |= {
            (root / name).resolve(): reason
            for name, reason in index.refused().items()
            if name in read and (name.endswith(_CODE) or (root / name).resolve() in resources)
        }
    code = {one for one in asked if one.name.endswith(_CODE)}
    return Declared(resources, refused, frozenset(code | resources.keys()))


@contextlib.contextmanager
def _on_disk(path: Path) -> Iterator[Path]:
    """`path` itself, or a folder with what is not on disk."""
    if str(path) == STDIN:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "stdin")
            file.write_bytes(sys.stdin.buffer.read())
            yield file
    elif is_bare(path):
        from finops_dagster.gitops.git_objects import Git

        archive = io.BytesIO(Git(path).run("archive", "--format=tar", "HEAD"))
        with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=archive) as tar:
            files = [member for member in tar if member.isfile() or member.isdir()]
            tar.extractall(folder, files, filter="data")
            yield Path(folder)
    else:
        yield path


def _absent(path: Path) -> SettingsError:
    fault = Fault(
        code="check_path", file=str(path), expected="A file or folder.", hint="Check the path."
    )
    return SettingsError(f"policy check: {path} does not exist", (fault,))


def _repository(file: Path) -> Path:
    """The repository that a file is in, else its folder: modules it calls are somewhere in it."""
    for folder in file.resolve().parents:
        if (folder / ".git").exists():
            return folder
    return file.parent


def _may_declare(file: Path) -> bool:
    if file.is_symlink() or not file.is_file() or file.stat().st_size > _MAX_BYTES:
        return False
    name = file.name.lower()
    if name.endswith(_CODE):
        return True
    return name.endswith(_TEMPLATES) and any(mark in file.read_bytes() for mark in _MARKS)


def _contents(root: Path, within: set[Path]) -> dict[str, bytes]:
    """The files to index: those asked about, and where code is among them all code beside it."""
    read = {file.relative_to(root.resolve()).as_posix(): file.read_bytes() for file in within}
    if any(name.endswith(_CODE) for name in read):
        for file, name in files_of(root):
            if name not in read and name.endswith(_CODE) and _may_declare(file):
                read[name] = file.read_bytes()
    return read


def _kubernetes(resource: DeclaredResource) -> bool:
    """Manifests are read as they are written, not as they are rendered."""
    tools = ("terraform", "serverless", "AWS::")
    return not resource.api_version.startswith(tools)


def _line(index: RepositoryIndex, name: str) -> int:
    """The line, from 1, of a resource's header, else of the first value that its file holds."""
    file = index.resources()[name].file
    kind, label = name.split("/")[0], name.rpartition("/")[2].rpartition(".")[2]
    header = _HEADER.format(*(re.escape(part) for part in (kind, label)))
    found = re.search(header.encode(), index.read(file), re.MULTILINE)
    if found is not None:
        return index.read(file).count(b"\n", 0, found.end()) + 1
    starts = [one.start for one in index.values(name).values() if one.file == file]
    return index.read(file).count(b"\n", 0, min(starts)) + 1 if starts else 1


def _unknown(index: RepositoryIndex, name: str) -> tuple[str, ...]:
    """Paths of values that are expressions which nobody has worked out."""
    return tuple(
        path
        for path, one in index.values(name).items()
        if isinstance(one, Traced) and not one.known
    )
