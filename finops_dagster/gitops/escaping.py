"""Foreign text made inert for Markdown, HTML, titles, commit messages and comments.

What the text says is not known here.
"""

from __future__ import annotations

import re

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~$])")
_AT_START = re.compile(r"\A([-+=:]|[0-9]+(?=[.)]))")
"""What makes a list, a heading's underline or a definition of a paragraph's first characters."""
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
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


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


def prose(text: str, limit: int = 500) -> str:
    """`text` as words of a Markdown paragraph: no markup, mention, issue link or web link.

    GitHub links `@name`, `#1`, `GH-1` and bare addresses after Markdown is rendered, so escaping
    alone does not stop it: a zero-width space takes them apart.
    """
    clean = one_line(text, limit).replace("&", "&amp;")
    clean = _MARKUP.sub(r"\\\1", clean)
    clean = _AT_START.sub(rf"{_ZERO_WIDTH}\1", clean)
    clean = clean.replace("@", f"@{_ZERO_WIDTH}")
    clean = re.sub(r"#(?=\w)", f"#{_ZERO_WIDTH}", clean)
    clean = re.sub(r"(?i)\b(GH)-(?=\d)", rf"\1{_ZERO_WIDTH}-", clean)
    clean = clean.replace("://", f":{_ZERO_WIDTH}//")
    return re.sub(r"(?i)\bwww\.", f"www{_ZERO_WIDTH}.", clean)


def title(text: str, limit: int = 255) -> str:
    """`text` as a title: one line, nobody mentioned, at most `limit` characters."""
    return one_line(text, limit).replace("@", f"@{_ZERO_WIDTH}")[:limit]


def trailer(text: str) -> str:
    """`text` as the value of a trailer of a commit message."""
    return one_line(text, 300)
