"""The embedded Rego engine behind a seam: sources in, plain JSON values out.

No word of this product's policies: bundles, verdicts and other people's rules are elsewhere.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regorus


class EngineError(Exception):
    """The engine refused a source or failed in evaluation; one line, without its backtrace."""


@dataclass(frozen=True)
class Source:
    """One Rego source and the name it is known by."""

    name: str
    text: str
    version: int = 1
    """0 reads Rego as it was before `if` and `contains` were asked for."""


Functions = Mapping[str, tuple[int, Callable[..., Any]]]
"""Name in Rego -> (number of arguments, function)."""

UNDEFINED = object()
"""What a rule that is undefined for its input evaluates to: not null, not false, not empty."""


class RegoEngine:
    """Sources and data compiled once for each thread that evaluates them.

    The engine underneath may not be used by another thread than its maker's. Raises EngineError
    where a source does not compile.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        data: Mapping[str, Any] | None = None,
        functions: Functions | None = None,
    ) -> None:
        """`functions` may be called by the sources, as if the engine had them."""
        self._sources = tuple(sources)
        self._functions = functions or {}
        self._data = json.dumps(data or {}, allow_nan=False)
        self._local = threading.local()
        self._engine()

    def evaluate(self, rule: str, document: Mapping[str, Any]) -> Any:
        """Value of the rule `data.…` for the input `document`; UNDEFINED where it has none.

        The document is data and never becomes part of a source. Raises EngineError.
        """
        engine = self._engine()
        try:
            engine.set_input_json(json.dumps(document, allow_nan=False))
        except (RuntimeError, ValueError, RecursionError) as error:
            raise EngineError(_first_line(error)) from error
        return evaluated(engine, rule)

    def packages(self) -> tuple[str, ...]:
        """Packages that the sources declare, as `data.…`."""
        return tuple(self._engine().get_packages())

    def _engine(self) -> Any:
        engine = getattr(self._local, "engine", None)
        if engine is None:
            engine = self._local.engine = compiled(self._sources, self._data, self._functions)
        return engine


def compiled(sources: Sequence[Source], data: str, functions: Functions | None = None) -> Any:
    """A bare engine of this thread with `sources` and the JSON text `data` in it."""
    engine = regorus.Engine()
    for name, (arguments, function) in (functions or {}).items():
        engine.add_extension(name, arguments, function)
    for source in sources:
        engine.set_rego_v0(source.version == 0)
        try:
            engine.add_policy(source.name, source.text)
        except (RuntimeError, ValueError) as error:
            raise EngineError(_first_line(error)) from error
    try:
        engine.add_data_json(data)
    except (RuntimeError, ValueError) as error:
        raise EngineError(_first_line(error)) from error
    return engine


def evaluated(engine: Any, rule: str) -> Any:
    """Value of `rule` for the input the bare engine holds, or UNDEFINED. Raises EngineError."""
    first, *rest = rule.split(".")
    query = first + "".join(f"[{json.dumps(part)}]" for part in rest)
    try:
        answer = json.loads(engine.eval_query_as_json(query))
    except (RuntimeError, ValueError, RecursionError) as error:
        raise EngineError(_first_line(error)) from error
    results = answer.get("result")
    return results[0]["expressions"][0]["value"] if results else UNDEFINED


def _first_line(error: BaseException) -> str:
    """`FILE:LINE:COLUMN error` out of the engine's report, without source excerpt and backtrace."""
    text = str(error).split("Stack backtrace:")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    place = next((line[3:].strip(" <>") for line in lines if line.startswith("-->")), "")
    fault = next((line for line in lines if line.startswith("error")), lines[0] if lines else "")
    return f"{place} {fault}".strip()[:300]
