"""Functions of OPA that other people's policies call and the embedded engine lacks.

Most are deprecated ones that older Rego still has. Our own bundle calls none of them.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def _digest(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _any(values: Iterable[Any]) -> bool:
    return any(value is True for value in values)


def _all(values: Iterable[Any]) -> bool:
    return all(value is True for value in values)


def _overlap(network: str, address: str) -> bool:
    one, other = (ipaddress.ip_network(text, strict=False) for text in (network, address))
    return one.version == other.version and one.overlaps(other)


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "any": (1, _any),
    "all": (1, _all),
    "re_match": (2, lambda pattern, text: re.search(pattern, text) is not None),
    "set_diff": (2, lambda one, other: set(one) - set(other)),
    "net.cidr_overlap": (2, _overlap),
    "crypto.md5": (1, _digest("md5")),
    "crypto.sha1": (1, _digest("sha1")),
    "crypto.sha256": (1, _digest("sha256")),
}
"""Name -> (arguments, function): https://www.openpolicyagent.org/docs/policy-reference/builtins.

`re_match` speaks Python's dialect of regular expressions, which has all that RE2's has in common
use; a policy whose expression it cannot read cannot be evaluated, and denies.
"""
