"""What GitHub answered before, by address: asked with its ETag, it costs nothing if unchanged.

An unchanged answer (304) does not count against the rate limit (docs: best practices for the
REST API). Who asks is not known here.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

MAX_ANSWERS = 2_000
MAX_BYTES = 64 * 2**20
_LOOKED_AFTER_EVERY = 100
_KEPT_HEADERS = ("link", "x-oauth-scopes")
"""What an answer of status 304 leaves out, and is read."""


class Answer(BaseModel):
    """One answer to a GET."""

    model_config = ConfigDict(frozen=True)

    etag: str
    headers: dict[str, str]
    body: str

    @classmethod
    def of(cls, headers: dict[str, str], body: str) -> Answer:
        """`headers`: names in lower case, an etag among them."""
        kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        return cls(etag=headers["etag"], headers=kept, body=body)


class Answers:
    """A folder of answers, the oldest forgotten beyond a number and a size.

    It is a cache: what cannot be read or written is asked again in full.
    """

    def __init__(
        self, folder: Path, max_answers: int = MAX_ANSWERS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._folder = folder
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._put = 0

    def get(self, address: str) -> Answer | None:
        """The answer that is known to `address`."""
        try:
            return Answer.model_validate_json(self._file(address).read_bytes())
        except (OSError, ValidationError):
            return None

    def put(self, address: str, answer: Answer) -> None:
        """Keep an answer. Two runners may do so at once."""
        file = self._file(address)
        half = file.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            half.write_text(answer.model_dump_json(), encoding="utf-8")
            half.replace(file)
            if self._put % _LOOKED_AFTER_EVERY == 0:
                self._forget()
            self._put += 1
        except OSError:
            half.unlink(missing_ok=True)

    def _file(self, address: str) -> Path:
        return self._folder / hashlib.sha256(address.encode()).hexdigest()[:32]

    def _forget(self) -> None:
        found = [(entry.stat(), Path(entry)) for entry in os.scandir(self._folder)]
        found.sort(key=lambda one: one[0].st_mtime_ns, reverse=True)
        used = 0
        for place, (stat, file) in enumerate(found):
            used += stat.st_size
            if place >= self._max_answers or used > self._max_bytes:
                file.unlink(missing_ok=True)
