"""Foreign text made inert for Markdown, HTML, titles, commit messages and comments.

What the text says is not known here.
"""

from __future__ import annotations

import re
from html import escape

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~$])")
_AT_START = re.compile(r"\A([-+=:]|[0-9]+(?=[.)]))")
"""What makes a list, a heading's underline or a definition of a paragraph's first characters."""
_TO_CI = re.compile(r"(?i)\[(?=[\s-]*(?:skip|ci|no|actions)\b)")
"""https://docs.github.com/en/actions/managing-workflow-runs/skipping-workflow-runs"""
_ZERO_WIDTH = "\u200b"


def one_line(text: str, limit: int = 200) -> str:
    """`text` on one line without what cannot be printed (control, bidirectional, zero-width and
    surrogate characters), at most `limit` characters.
    """
    clean = "".join(
        " " if character.isspace() else character
        for character in text[: limit * 4]
        if character.isspace() or character.isprintable()
    )
    clean = " ".join(clean.split())
    return _cut(clean, limit)


def code(text: str, limit: int = 200, *, cell: bool = False) -> str:
    """`text` as a code span, in which GitHub resolves no mention, issue or link.

    `cell`: for a table, where a bar ends the cell even inside code, and one behind a backslash
    does so depending on the reader: it is shown broken.
    """
    clean = one_line(text, limit).replace("<!--", "<! --") or " "
    longest = max((len(run) for run in re.findall(r"`+", clean)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if clean.startswith("`") or clean.endswith("`") else ""
    if cell:
        clean = clean.replace("|", "¦")
    return f"{fence}{pad}{clean}{pad}{fence}"


_DEEPEST = 12
"""Spaces of an indent that are kept in a block."""


def block(text: str, limit: int = 4000) -> str:
    """Lines as a fenced block, in which nothing is read as anything; their indents stay."""
    lines = [
        " " * min(len(line) - len(line.lstrip(" ")), _DEEPEST)
        + one_line(line, 1000).replace("<!--", "<! --")
        for line in text.split("\n")
    ]
    body = _cut("\n".join(lines), limit)
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{body}\n{fence}"


def prose(text: str, limit: int = 500) -> str:
    """`text` as words of a Markdown paragraph: no markup, mention, issue link or web link."""
    clean = one_line(text, limit).replace("&", "&amp;")
    clean = _MARKUP.sub(r"\\\1", clean)
    clean = _AT_START.sub(rf"{_ZERO_WIDTH}\1", clean)
    return _apart(clean)


def html(text: str, limit: int = 200) -> str:
    """`text` as words inside an HTML element, where Markdown is not read."""
    return escape(_apart(one_line(text, limit)))


def title(text: str, limit: int = 255) -> str:
    """`text` as a title: one line, nobody mentioned, at most `limit` characters."""
    return _cut(plain(text, limit), limit)


def plain(text: str, limit: int = 500) -> str:
    """`text` as words of a title or of a commit's message, where no Markdown is read but names,
    issues and orders to CI are: a merge would close `fixes #1`, and `[skip ci]` skip its checks.
    """
    return _TO_CI.sub(rf"[{_ZERO_WIDTH}", _apart(one_line(text, limit)))


def trailer(text: str) -> str:
    """`text` as the value of a trailer of a commit message."""
    return plain(text, 300)


def shortened(markdown: str, limit_bytes: int) -> str:
    """Whole lines of `markdown` within a limit, and a note; what was open there is closed.

    Else an open block would swallow what is put after it.
    """
    if len(markdown.encode()) <= limit_bytes:
        return markdown
    note = "\n\n(Shortened: the forge's limit is reached.)"
    room = limit_bytes - len(note.encode())
    kept: list[str] = []
    fence, depth, end = "", 0, ""
    for line in markdown.split("\n"):
        mark = re.match(r"`{3,}", line)
        if fence:
            fence = "" if line.rstrip() == fence else fence
        elif mark:
            fence = mark[0]
        else:
            depth += line.startswith("<details>") - line.startswith("</details>")
        closing = f"\n{fence}" * bool(fence) + "\n\n</details>" * max(depth, 0)
        room -= len(line.encode()) + 1
        if room < len(closing):
            break
        kept.append(line)
        end = closing
    return "\n".join(kept) + end + note


def _apart(text: str) -> str:
    """GitHub links `@name`, `#1`, `GH-1` and bare addresses after Markdown is rendered, so
    escaping alone does not stop it: a zero-width space takes them apart.
    """
    text = text.replace("@", f"@{_ZERO_WIDTH}")
    text = re.sub(r"#(?=\w)", f"#{_ZERO_WIDTH}", text)
    text = re.sub(r"(?i)\b(GH)-(?=\d)", rf"\1{_ZERO_WIDTH}-", text)
    text = text.replace("://", f":{_ZERO_WIDTH}//")
    return re.sub(r"(?i)\bwww\.", f"www{_ZERO_WIDTH}.", text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
