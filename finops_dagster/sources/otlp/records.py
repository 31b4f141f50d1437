"""OTLP's JSON taken apart: one flat row for each data point or span that tells of tokens.

OTLP/JSON: opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Adding up is in `usage`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from finops_dagster.sources.flattening import Record
from finops_dagster.sources.otlp import words
from finops_dagster.sources.text_files import printable

_COUNTS = ("input_tokens", "output_tokens", "cached_input_tokens", "requests")
_DIMENSIONS = (*words.ATTRIBUTES, "workload")

POINTS = pa.schema(
    [
        ("signal", pa.string()),
        ("family", pa.string()),
        ("cumulative", pa.bool_()),
        ("stream", pa.string()),
        ("start_ns", pa.int64()),
        ("time_ns", pa.int64()),
        *((name, pa.string()) for name in _DIMENSIONS),
        *((name, pa.int64()) for name in _COUNTS),
    ]
)
"""`stream` names what a count goes on in: the next point of a cumulative stream has it too."""


def points_of(document: Record) -> Iterator[Record]:
    """Rows of POINTS of one exported request. Raises ValueError of what is none."""
    if not {"resourceMetrics", "resourceSpans", "resourceLogs"} & document.keys():
        raise ValueError("it has neither resourceMetrics nor resourceSpans")
    for resource, scope in _scopes(document, "resourceMetrics", "scopeMetrics"):
        for metric in scope.get("metrics") or ():
            yield from _metric_points(metric, resource)
    for resource, scope in _scopes(document, "resourceSpans", "scopeSpans"):
        for span in scope.get("spans") or ():
            yield from _span_points(span, resource)


def _scopes(document: Record, outer: str, inner: str) -> Iterator[tuple[dict[str, Any], Record]]:
    for one in document.get(outer) or ():
        resource = _attributes((one.get("resource") or {}).get("attributes"))
        for scope in one.get(inner) or ():
            yield resource, scope


def _metric_points(metric: Record, resource: dict[str, Any]) -> Iterator[Record]:
    name = metric.get("name")
    if name != words.BY_TYPE and name not in words.COUNTERS:
        return
    for form in ("histogram", "exponentialHistogram", "sum"):
        data = metric.get(form)
        if not data:
            continue
        temporality = data.get("aggregationTemporality")
        if temporality not in words.DELTA + words.CUMULATIVE:
            raise ValueError(f"{name} has an aggregationTemporality of {temporality!r}")
        for point in data.get("dataPoints") or ():
            attributes = _attributes(point.get("attributes"))
            kind = words.COUNTERS.get(str(name))
            if kind is None:
                type_ = attributes.get(words.TYPE_ATTRIBUTE)
                kind = words.TYPES.get(str(type_))
                if kind is None:
                    raise ValueError(f"{name} has a {words.TYPE_ATTRIBUTE} of {type_!r}")
            yield {
                "signal": "metrics",
                "family": "by_type" if name == words.BY_TYPE else "counters",
                "cumulative": temporality in words.CUMULATIVE,
                "stream": _id([name, form, resource, attributes]),
                "start_ns": _whole(point.get("startTimeUnixNano")),
                "time_ns": _whole(point.get("timeUnixNano")),
                **_dimensions(attributes, resource),
                kind: _value(point, form),
                # a request is counted once, with what was given
                "requests": _whole(point.get("count"))
                if kind == "input_tokens" and form != "sum"
                else None,
            }


def _span_points(span: Record, resource: dict[str, Any]) -> Iterator[Record]:
    attributes = _attributes(span.get("attributes"))
    counts = {
        count: _tokens(next((attributes[name] for name in names if name in attributes), None))
        for count, names in words.SPAN_TOKENS.items()
    }
    if counts["input_tokens"] is None and counts["output_tokens"] is None:
        return
    end = _whole(span.get("endTimeUnixNano"))
    yield {
        "signal": "spans",
        "family": "spans",
        "cumulative": False,
        "stream": _id([span.get("traceId"), span.get("spanId")]),
        "start_ns": end,
        "time_ns": end,
        **_dimensions(attributes, resource),
        **counts,
        "requests": 1,
    }


def _dimensions(attributes: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, names in words.ATTRIBUTES.items():
        values = (
            where[name] for where in (attributes, resource) for name in names if name in where
        )
        value = next(values, None)
        found[column] = None if value in (None, "") else printable(str(value))
    workload = next(
        ((kind, resource[name]) for name, kind in words.WORKLOADS.items() if name in resource), None
    )
    namespace = resource.get("k8s.namespace.name")
    found["workload"] = (
        printable(f"{workload[0]}/{namespace}/{workload[1]}") if workload and namespace else None
    )
    return found


def _value(point: Record, form: str) -> int:
    if form != "sum":
        return _tokens(point.get("sum")) or 0
    return _tokens(point.get("asInt", point.get("asDouble"))) or 0


def _tokens(value: Any) -> int | None:
    """A count; None where there is none. Raises ValueError of what is no finite number."""
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a count of tokens is {value!r}")
    # what is an integer by its text is not sent through a double
    return int(value) if str(value).lstrip("-").isdigit() else round(number)


def _whole(value: Any) -> int:
    """A 64-bit number, which JSON has as text; 0 where there is none, as in Protobuf."""
    return int(value or 0)


def _attributes(items: Any) -> dict[str, Any]:
    found = {}
    for item in items or ():
        value = item.get("value") or {}
        for kind in ("stringValue", "intValue", "doubleValue", "boolValue"):
            if kind in value:
                found[str(item.get("key"))] = value[kind]
    return found


def _id(parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
