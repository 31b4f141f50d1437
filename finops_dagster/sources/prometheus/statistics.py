"""What a source asked and got since it was made: figures for people and benchmarks.

Counting only; nothing is decided by it but how large the next query may be.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Statistics:
    """Shared by the threads of one source."""

    queries: int = 0
    """Answered."""
    retries: int = 0
    splits: int = 0
    """Queries that the server found too large."""
    samples: int = 0
    bytes: int = 0
    largest_answer: int = 0
    """Samples."""
    largest_estimate: int = 0
    """Samples that the largest query sent was expected to read."""
    chunks_asked: int = 0
    chunks_reused: int = 0
    """Found on disk, of an extraction that was interrupted."""
    skew_seconds: float = 0
    """The store's clock less ours, as its last answer said."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **amounts: int) -> None:
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    def largest(self, **amounts: int) -> None:
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, max(getattr(self, name), amount))
