"""Which code makes an engine: a hash over the sources of its modules and of what they import.

Only modules of the engine's own package count: what many packages share, and libraries, are in the
lock file and the version of the product.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path


def code_modules(root: Path, modules: Sequence[str]) -> tuple[str, ...]:
    """`modules` and all that they import of their own worker package, by name, in order.

    `root`: folder that holds the top package. A worker package is the second part of a name, and
    the third of one of the engines. Raises FileNotFoundError for a module without a source.
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        path = _source(root, module)
        if path is None:
            raise FileNotFoundError(module)
        package = _package(module)
        for name in _imports(path):
            if name.startswith(package) and _source(root, name) is not None:
                waiting.append(name)
    return tuple(sorted(found))


def code_version(root: Path, modules: Sequence[str]) -> str:
    """First 16 hex digits of SHA-256 over names and sources of `code_modules`."""
    digest = hashlib.sha256()
    for module in code_modules(root, modules):
        path = _source(root, module)
        digest.update(f"{module}\0".encode())
        digest.update(path.read_bytes() if path is not None else b"")
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _package(module: str) -> str:
    parts = module.split(".")
    depth = 3 if parts[1:2] == ["engines"] else 2
    return ".".join(parts[:depth]) + "."


def _source(root: Path, module: str) -> Path | None:
    """File of a module; of a package, its `__init__`."""
    place = root.joinpath(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(path: Path) -> Iterator[str]:
    """Names that may be modules: `import a.b`, `from a import b` as a and as a.b."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)
