"""Content hashes and resource names: the two ways this product identifies things."""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical_json(payload: Any) -> str:
    """One text for one value: sorted keys, no white space, decimals and dates as strings."""
    return json.dumps(
        payload, sort_keys=True, separators=(",", ":"), default=_plain, ensure_ascii=False
    )


def content_id(kind: str, payload: Any) -> str:
    """`kind-` and the first 16 hex digits of SHA-256 over the canonical JSON of `payload`."""
    digest = hashlib.sha256(f"{kind}\n{canonical_json(payload)}".encode()).hexdigest()
    return f"{kind}-{digest[:16]}"


class ResourceName(BaseModel):
    """KIND/NAMESPACE/NAME of a declared resource; cluster-scoped ones have no namespace."""

    model_config = ConfigDict(frozen=True)

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> ResourceName:
        """Parse `KIND/NAMESPACE/NAME` or `KIND/NAME`; raises ValueError on anything else."""
        parts = text.split("/")
        if len(parts) == 2:
            parts = [parts[0], "", parts[1]]
        if len(parts) != 3 or not parts[0] or not parts[2]:
            raise ValueError(f"{text!r} is not KIND/NAMESPACE/NAME")
        return cls(kind=parts[0], namespace=parts[1], name=parts[2])
