"""What a forge makes of Markdown, as far as foreign text could misuse it; no test lives here.

CommonMark and tables by markdown-it; what GitHub links afterwards (names, issues, addresses) by
its own documentation: https://docs.github.com/en/get-started/writing-on-github
"""

from __future__ import annotations

import re
from html import unescape

from markdown_it import MarkdownIt
from markdown_it.token import Token

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])

_COMMENT = r"<!-- finops-[^<>@]* -->"
_OURS = re.compile(
    rf"(?:<details>(?:\n<summary>[^<>\n]*</summary>)?|</details>|(?:{_COMMENT}\n?)+)\n?\Z"
)
LINKED = (
    re.compile(r"@[\w/-]"),
    re.compile(r"#\w"),
    re.compile(r"(?i)\bgh-\d"),
    re.compile(r"(?i)\b(?:https?|ftp)://\S"),
    re.compile(r"(?i)\bwww\.\w"),
)
INVISIBLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ufeff]")


def assert_inert(markdown: str) -> list[Token]:
    """Fails where the text links, calls, embeds, hides or breaks anything; its tokens."""
    assert not INVISIBLE.search(markdown), "a control or bidirectional character"
    tokens = GITHUB.parse(markdown)
    columns: int | None = None
    cells = 0
    for token in tokens:
        if token.type == "html_block":
            assert _OURS.match(token.content), token.content
            words = unescape(re.sub(r"<[^>]*>", "", token.content))
            if not token.content.startswith("<!--"):
                _assert_unlinked(words)
        if token.type == "thead_open":
            columns = None
        if token.type == "tr_open":
            cells = 0
        if token.type in {"th_open", "td_open"}:
            cells += 1
        if token.type == "tr_close":
            columns = cells if columns is None else columns
            assert cells == columns, "a table's row has another number of cells than its head"
        for inner in token.children or []:
            if inner.type == "html_inline" and re.fullmatch(_COMMENT, inner.content):
                continue
            assert inner.type in {
                "text", "code_inline", "strong_open", "strong_close", "em_open", "em_close",
                "softbreak", "text_special",
            }, f"{inner.type}: {token.content}"  # fmt: skip
        if token.type == "inline":
            _assert_unlinked("".join(
                "\0" if inner.type in {"code_inline", "html_inline"} else inner.content
                for inner in token.children or []
            ))  # fmt: skip
    return tokens


def _assert_unlinked(text: str) -> None:
    for linked in LINKED:
        assert not linked.search(text), f"{linked.search(text)} in {text[:200]}"


def shape(tokens: list[Token]) -> list[str]:
    """The structure without its words."""
    return [token.type for token in tokens]
