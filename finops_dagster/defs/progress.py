"""One line per step while jobs run in this process, and what each step cost.

What the lines are about is taken from Dagster's own events; nothing is computed here.
"""

from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

LOGGER = "progress"
_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes of ru_maxrss: macOS counts them one by one."""


@dataclass
class StepCost:
    """What one step took. `peak_rss_bytes` is of the process and its children so far."""

    step: str
    seconds: float
    status: str
    peak_rss_bytes: int


@dataclass
class Progress:
    """Collects step costs and tells `say` of each, in a person's words."""

    say: Callable[[str], None]
    steps: list[StepCost] = field(default_factory=list)
    _started: dict[str, float] = field(default_factory=dict)

    def take(self) -> list[StepCost]:
        """The steps finished since the last call."""
        steps, self.steps = self.steps, []
        return steps

    def logger(self) -> dg.LoggerDefinition:
        """A Dagster logger that feeds this object instead of the terminal."""
        handler = _Handler(self)

        @dg.logger({}, description="Feeds the progress lines of `finops run`.")
        def progress(_: dg.InitLoggerContext) -> logging.Logger:
            logger = logging.Logger(LOGGER, level=logging.DEBUG)
            logger.addHandler(handler)
            return logger

        return progress

    def saw(self, kind: str, step: str) -> None:
        """Take one event of a step."""
        if kind == "STEP_START":
            self._started[step] = time.monotonic()
            return
        if step not in self._started:
            return
        seconds = time.monotonic() - self._started.pop(step)
        status = "done" if kind == "STEP_SUCCESS" else "failed"
        self.steps.append(StepCost(step, seconds, status, peak_rss_bytes()))
        mark = "ok  " if status == "done" else "FAIL"
        self.say(f"  {mark} {step.replace('__', '/'):<44} {seconds:6.1f} s")


class _Handler(logging.Handler):
    def __init__(self, progress: Progress) -> None:
        super().__init__(level=logging.DEBUG)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None) or getattr(record, "dagster_meta", {}).get(
            "dagster_event"
        )
        if event is not None and event.step_key is not None:
            kind = str(event.event_type_value)
            if kind in ("STEP_START", "STEP_SUCCESS", "STEP_FAILURE"):
                self._progress.saw(kind, event.step_key)


def peak_rss_bytes() -> int:
    """The most memory this process or any one of its finished children has held."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own_peak_rss_bytes(), children * _UNIT)


def own_peak_rss_bytes() -> int:
    """The most memory this process has held.

    Linux's ru_maxrss would start at what the parent held (getrusage(2) is kept over execve);
    VmHWM of proc(5), in KiB, does not.
    """
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
