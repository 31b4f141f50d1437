"""Unified diffs of one file's bytes, as git prints them.

Nothing is read or written here.
"""

from __future__ import annotations

import difflib


def unified_diff(path: str, before: bytes, after: bytes) -> str:
    """`--- a/path` to the last hunk; empty if nothing changed. Lines end at a line feed alone, so
    that a carriage return stays part of its line.
    """
    if before == after:
        return ""
    out: list[str] = []
    for line in difflib.unified_diff(
        _lines(before), _lines(after), f"a/{path}", f"b/{path}", lineterm="\n"
    ):
        out.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(out)


def hunks(diff: str) -> int:
    """Number of hunks in a unified diff."""
    return sum(1 for line in diff.splitlines() if line.startswith("@@ "))


def _lines(data: bytes) -> list[str]:
    text = data.decode(errors="replace")
    parts = text.split("\n")
    lines = [part + "\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
