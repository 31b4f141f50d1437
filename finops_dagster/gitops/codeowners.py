"""Who owns a path by CODEOWNERS, as GitHub reads it.

Whom policy names beside, and who is asked, is decided elsewhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks; the first that is there counts.
https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""
MAX_BYTES = 3 * 1024**2
"""A larger file is not loaded by GitHub: then nobody is an owner."""

_WORD = re.compile(r"(?:\\.|[^\s\\])+")
_OWNER = re.compile(r"@[\w.-]+(?:/[\w.-]+)?\Z|[^@\s]+@[^@\s]+\Z")
_SECTION = re.compile(r"\^?\[[^\]]+\](?:\[\d+\])?(?:\s|\Z)")
"""GitLab's: a heading of the lines below it, which count here as they stand."""


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    owners: tuple[str, ...]
    """None for a path that is taken out again."""


def owners(text: str, path: str) -> tuple[str, ...]:
    """Owners of a repository path as they are written (`@user`, `@org/team`, an address).

    The last line that matches counts; empty where none does, or where that one names nobody.
    """
    for rule in reversed(_read(text)[0]):
        if rule.pattern.match(path):
            return rule.owners
    return ()


def errors(text: str) -> tuple[str, ...]:
    """What is wrong with lines that are left out, as `line N: why`."""
    return _read(text)[1]


@lru_cache(maxsize=8)
def _read(text: str) -> tuple[tuple[_Rule, ...], tuple[str, ...]]:
    if len(text.encode(errors="replace")) > MAX_BYTES:
        return (), (f"the file is larger than {MAX_BYTES // 1024**2} MB: it is not read",)
    rules: list[_Rule] = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if _SECTION.match(line):
            continue
        words = []
        for word in _WORD.findall(line):
            if word.startswith("#"):
                break
            words.append(word)
        if not words:
            continue
        fault = _fault(words[0]) or next(
            (f"{word!r} is no user, team or address" for word in words[1:]
             if not _OWNER.match(word)), ""
        )  # fmt: skip
        if fault:
            wrong.append(f"line {number}: {fault}")
        else:
            rules.append(_Rule(_compiled(words[0]), tuple(words[1:])))
    return tuple(rules), tuple(wrong)


def _fault(pattern: str) -> str:
    """Rules of gitignore that do not hold here."""
    if pattern.startswith("!"):
        return "a pattern cannot be negated with !"
    if pattern.startswith("\\#"):
        return "a pattern cannot begin with #"
    if "[" in pattern or "]" in pattern:
        return "[ ] is no range of characters here"
    return ""


def _compiled(pattern: str) -> re.Pattern[str]:
    """By the rules of gitignore; but `docs/*` reaches no further down, as GitHub says."""
    segments = pattern.split("/")
    if segments[0] == "":
        segments = segments[1:]  # from the root on
    elif (len(segments) == 1 or segments[1:] == [""]) and segments[0] != "**":
        segments = ["**", *segments]  # a name alone, of a file or a folder anywhere
    if segments[-1] == "":
        segments[-1] = "**"
    last = len(segments) - 1
    pieces: list[str] = []
    slash = False
    for at, segment in enumerate(segments):
        if segment == "**":
            if at == last:
                pieces.append("/.+" if slash else ".+")
            else:
                pieces.append("(?:/.+)?" if slash else "(?:.+/)?")
            continue
        pieces.append("/" if slash else "")
        pieces.append("[^/]+" if segment == "*" else _segment(segment))
        if at == last and segment != "*":
            pieces.append("(?:/.*)?")
        slash = True
    return re.compile("".join(pieces) + r"\Z", re.DOTALL)


def _segment(text: str) -> str:
    pieces = re.findall(r"\\.|\*+|\?|[^\\*?]+", text, re.DOTALL)
    return "".join(
        "[^/]*"
        if piece[0] == "*"
        else "[^/]"
        if piece == "?"
        else re.escape(piece[-1:] if piece[0] == "\\" else piece)
        for piece in pieces
    )
