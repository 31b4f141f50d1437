"""Token usage from the OpenTelemetry collector's files: metrics, spans, and what goes wrong."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.errors import Unavailable
from finops_dagster.sources import ReadOptions, files_at
from finops_dagster.sources.collected import open_collected
from finops_dagster.sources.otlp import token_days
from finops_dagster.sources.tokens import TOKEN_LOG

NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)
HOUR = 3600
RESOURCE = {
    "service.name": "assistant",
    "team": "search",
    "k8s.namespace.name": "shop",
    "k8s.deployment.name": "assistant",
}


def at(hour: float, day: int = 5) -> str:
    return str(int(datetime(2026, 3, day, tzinfo=UTC).timestamp() + hour * HOUR) * 10**9)


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue" if isinstance(value, int) else "stringValue": str(value)}}
        for key, value in values.items()
    ]


def metric(
    points: list[dict[str, Any]],
    name: str = "gen_ai.client.token.usage",
    temporality: Any = 2,
    form: str = "histogram",
    resource: dict[str, Any] = RESOURCE,
) -> dict[str, Any]:
    data = {"aggregationTemporality": temporality, "dataPoints": points}
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": attributes(resource)},
                "scopeMetrics": [{"metrics": [{"name": name, form: data}]}],
            }
        ]
    }


def point(
    time: str, total: int, count: int, start: str = at(0), kind: str = "input", **more: Any
) -> dict[str, Any]:
    told = {
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.operation.name": "chat",
        "gen_ai.token.type": kind,
        **more,
    }
    return {
        "attributes": attributes(told),
        "startTimeUnixNano": start,
        "timeUnixNano": time,
        "count": str(count),
        "sum": float(total),
    }


def span(span_id: str, end: str, **told: Any) -> dict[str, Any]:
    one = {
        "traceId": "t",
        "spanId": span_id,
        "endTimeUnixNano": end,
        "attributes": attributes({"gen_ai.provider.name": "anthropic", **told}),
    }
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(RESOURCE)},
                "scopeSpans": [{"spans": [one]}],
            }
        ]
    }


def write(path: Path, *documents: dict[str, Any], end: str = "\n") -> None:
    path.parent.mkdir(exist_ok=True)
    text = "\n".join(json.dumps(one) for one in documents) + end
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def usage(folder: Path, signal: str = "metrics") -> list[tuple[Any, ...]]:
    """(day, hour, model, input, output, cached, requests), of the deliveries known last."""
    place = files_at(folder / "otlp", ReadOptions())
    source = open_collected(
        "otel",
        folder / "kept",
        TOKEN_LOG,
        partial(token_days, place, signal),
        "there",
        30,
        now=lambda: NOW,
    )
    rows: dict[Any, list[tuple[Any, ...]]] = {}
    for delivery in source.deliveries():
        with source.read(delivery) as reading:
            found = reading.rows.read_all().to_pylist()
            assert reading.quarantine.read_all().num_rows == 0
            assert not reading.landed.set_faults
        rows[delivery.partition] = [
            (
                row["time"].day,
                row["time"].hour,
                row["model"],
                row["input_tokens"],
                row["output_tokens"],
                row["cached_input_tokens"],
                row["requests"],
            )
            for row in found
        ]
    return [row for day in sorted(rows) for row in rows[day]]


def test_cumulative_counts_become_what_was_used_in_each_hour(tmp_path: Path) -> None:
    """A counter read as usage would bill every hour for all hours before it."""
    write(
        tmp_path / "otlp" / "a.jsonl",
        metric([point(at(1), 100, 2), point(at(1), 40, 2, kind="output")]),
        metric([point(at(1), 100, 2)]),  # sent again
        metric([point(at(2), 250, 5), point(at(2), 90, 5, kind="completion")]),
    )
    # the process restarts: the counter begins anew
    write(
        tmp_path / "otlp" / "b.jsonl.gz",
        metric([point(at(3), 30, 1, start=at(2.5))]),
        metric([point(at(4), 10, 1, start=at(2.5))]),  # less than before, the same start
    )
    assert usage(tmp_path) == [
        (5, 0, "gpt-x", 100, 40, None, 2),
        (5, 1, "gpt-x", 150, 90, None, 3),
        (5, 2, "gpt-x", 30, 0, None, 1),
        (5, 3, "gpt-x", 10, 0, None, 1),
    ]


def test_what_a_counter_held_before_the_files_begin_is_not_of_the_first_hour(
    tmp_path: Path,
) -> None:
    """A month of tokens must not fall on the hour in which collecting began."""
    write(
        tmp_path / "otlp" / "a.jsonl",
        metric([point(at(1), 10**9, 10**6, start=at(0, day=1))]),
        metric([point(at(2), 10**9 + 7, 10**6 + 1, start=at(0, day=1))]),
    )
    assert usage(tmp_path) == [(5, 1, "gpt-x", 7, 0, None, 1)]


def test_deltas_add_up_whatever_the_temporality_is_called(tmp_path: Path) -> None:
    """The encoding allows an enum as its number or its name."""
    write(
        tmp_path / "otlp" / "a.jsonl",
        metric([point(at(1), 5, 1)], temporality="AGGREGATION_TEMPORALITY_DELTA"),
        metric([point(at(1), 5, 1)], temporality="AGGREGATION_TEMPORALITY_DELTA"),  # again
        metric([point(at(1.5), 6, 1, start=at(1))], temporality=1),
    )
    assert usage(tmp_path) == [(5, 0, "gpt-x", 5, 0, None, 1), (5, 1, "gpt-x", 6, 0, None, 1)]


def test_counters_take_the_place_of_the_histogram(tmp_path: Path) -> None:
    """A service that sends the old and the new metric would count twice."""
    name = "gen_ai.client.inference.usage."
    named = {"gen_ai.provider.name": "openai", "gen_ai.response.model": "n"}
    told = {
        "attributes": attributes(named),
        "startTimeUnixNano": at(0),
        "timeUnixNano": at(1),
    }
    write(
        tmp_path / "otlp" / "a.jsonl",
        metric([point(at(1), 100, 2)]),
        metric([{**told, "asInt": "100"}], f"{name}input_tokens", 1, "sum"),
        metric([{**told, "asInt": "80"}], f"{name}cache_read.input_tokens", 1, "sum"),
    )
    assert usage(tmp_path) == [(5, 0, "n", 100, 0, 80, None)]


def test_spans_count_where_they_are_asked_for(tmp_path: Path) -> None:
    """An agent's span repeats the tokens of the calls inside it."""
    told = {"gen_ai.request.model": "asked", "gen_ai.usage.prompt_tokens": 3}
    write(
        tmp_path / "otlp" / "a.jsonl",
        span("1", at(1), **{"gen_ai.operation.name": "chat", **told}),
        span("1", at(1), **{"gen_ai.operation.name": "chat", **told}),
        span("2", at(1.5), **{
            "gen_ai.response.model": "answered", "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 4, "gen_ai.usage.cache_read.input_tokens": 8}),
        span("3", at(2), **{"gen_ai.operation.name": "invoke_agent", **told}),
        span("4", at(2)),
    )  # fmt: skip
    assert usage(tmp_path, "spans") == [
        (5, 0, "asked", 3, 0, None, 1),
        (5, 1, "answered", 10, 4, 8, 1),
    ]
    with pytest.raises(Unavailable) as error:
        usage(tmp_path, "metrics")
    assert "signal: spans" in error.value.faults[0].hint


def test_what_was_read_stays_when_its_file_is_rotated_away(tmp_path: Path) -> None:
    """A collector deletes its old files: a day told once must not shrink."""
    first = tmp_path / "otlp" / "a.jsonl"
    write(first, metric([point(at(1), 100, 2)]))
    before = usage(tmp_path)
    write(tmp_path / "otlp" / "b.jsonl", metric([point(at(2), 130, 3)]))
    first.unlink()
    assert usage(tmp_path) == [*before, (5, 1, "gpt-x", 30, 0, None, 1)]


def test_a_line_that_is_being_written_waits_and_a_broken_one_is_named(tmp_path: Path) -> None:
    """The collector appends while we read; a broken line in the middle is lost usage."""
    path = tmp_path / "otlp" / "a.jsonl"
    write(path, metric([point(at(1), 100, 2)]), end='\n{"resourceMetr')
    assert usage(tmp_path) == [(5, 0, "gpt-x", 100, 0, None, 2)]
    write(path, metric([point(at(1), 100, 2)]), {"neither": 1})
    with pytest.raises(Unavailable) as error:
        usage(tmp_path)
    (fault,) = error.value.faults
    assert (fault.row, fault.file) == (2, str(path))
    assert "resourceMetrics" in fault.expected
