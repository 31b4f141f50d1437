"""What a Markdown text remembers in HTML comments that no reader sees and no foreign text forges.

What is remembered is known to who writes it.
"""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def hide(name: str, payload: Any) -> str:
    """A JSON value as a comment: `<!-- NAME JSON -->`, in ASCII: it changes nothing around it."""
    return f"<!-- {name} {_STRING.sub(_escaped, json.dumps(payload))} -->"


def pattern(name: str) -> re.Pattern[str]:
    """Finds such comments; what else is in angle brackets is none."""
    return re.compile(rf"<!-- {re.escape(name)} ([^<>]*) -->")


def revealed(name: str, text: str) -> list[Any]:
    """Payloads of such comments, in order; None for what is no JSON any more."""
    found: list[Any] = []
    for payload in pattern(name).findall(text):
        try:
            found.append(json.loads(payload))
        except (ValueError, RecursionError):
            found.append(None)
    return found


def _escaped(string: re.Match[str]) -> str:
    """A JSON string with nothing in it that could end the comment or be taken for markup.

    Only strings: the sign of a number has to stay one, and cannot do either.
    """
    text = string.group()
    for character in "<>&@-`":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
