"""Field paths of values in manifests: one reading for the index, for policy and for edits.

Canonical: dotted keys, `["a.b/c"]` for keys with other characters, `[name=x]` for items of lists
whose items all have a unique name, `[0]` for the rest. JSON pointers (RFC 6901) are read as well.
Finding what a path leads to is the business of whoever holds the manifest.
"""

from __future__ import annotations

import json
import re

_TOKEN = re.compile(
    r"""\.?(?P<key>[^.\[\]"']+)
      | \.?\["(?P<quoted>(?:[^"\\]|\\.)*)"\]
      | \.?\['(?P<single>[^']*)'\]
      | \.?\[(?P<index>[0-9]{1,6})\]
      | \.?\[(?P<by>[A-Za-z0-9_]+)=(?:"(?P<qname>(?:[^"\\]|\\.)*)"|(?P<name>[^\]]*))\]""",
    re.VERBOSE,
)

Step = str | int | tuple[str, str]
"""A key, a position, or (key, value) that selects a list's item."""


def field_steps(path: str) -> list[Step]:
    """The steps of a path in any of its dialects. Raises ValueError where it is none."""
    if path.startswith("/"):
        return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    steps: list[Step] = []
    at = 0
    while at < len(path):
        token = _TOKEN.match(path, at)
        if token is None:
            raise ValueError(f"{path!r} is not a field path")
        at = token.end()
        if token["key"] is not None:
            steps.append(token["key"])
        elif token["quoted"] is not None:
            steps.append(str(json.loads(f'"{token["quoted"]}"')))
        elif token["single"] is not None:
            steps.append(token["single"])
        elif token["index"] is not None:
            steps.append(int(token["index"]))
        elif token["qname"] is not None:
            steps.append((token["by"], str(json.loads(f'"{token["qname"]}"'))))
        else:
            steps.append((token["by"], token["name"]))
    return steps
