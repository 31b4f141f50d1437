"""The second pass: good rows as Arrow batches in the table's schema, read while they are drained.

Which rows are good was settled in `counting`; the others go out by `quarantine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.schemas import TableSchema
from finops_dagster.sources.counting import Typed
from finops_dagster.sources.opening import Opened
from finops_dagster.sources.parsing import as_text, identifier, is_text
from finops_dagster.sources.private import Privacy
from finops_dagster.sources.shapes import BATCH_ROWS, arrow_schema
from finops_dagster.sources.tags import TagReader, columns_as_map
from finops_dagster.sources.views import PROVENANCE

_BATCH_BYTES = 256 * 1024 * 1024
_TEXT_MAPS = {"tags": "Tags", "allocated_tags": "AllocatedTags"}
"""Maps that bills write as text in many notations, by what people call them."""


@dataclass
class Drained:
    """What has gone out so far; `done` once both streams have ended."""

    good: int = 0
    aside: int = 0
    ended: set[str] = field(default_factory=set)
    row_faults: list[Fault] = field(default_factory=list)
    maps: dict[str, TagReader] = field(default_factory=dict)
    """By the name that people know the column by."""

    @property
    def done(self) -> bool:
        return self.ended == {"rows", "quarantine"}


def good_rows(
    connection: duckdb.DuckDBPyConnection,
    table: TableSchema,
    delivery: Delivery,
    opened: Opened,
    typed: Sequence[Typed],
    drained: Drained,
    privacy: Privacy | None,
) -> pa.RecordBatchReader:
    """The accepted rows in the order of the files, exactly in the table's schema, made private."""
    schema = arrow_schema(table)

    def batches() -> Iterator[pa.RecordBatch]:
        for one in typed:
            named = privacy.naming(one.view.words) if privacy is not None else None
            shape = _shape(table, one, delivery, opened, drained.maps, named)
            for batch in stream(connection, one, shape.sql, opened.names):
                drained.good += batch.num_rows
                yield shape.build(batch, schema)
        drained.ended.add("rows")

    return pa.RecordBatchReader.from_batches(schema, batches())


def stream(
    connection: duckdb.DuckDBPyConnection, one: Typed, sql: str, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    rows = max(1, min(BATCH_ROWS, _BATCH_BYTES // max(1, one.group.row_bytes)))
    # a cursor of its own: two streams of one connection would end each other
    with connection.cursor() as cursor:
        try:
            yield from cursor.execute(sql).to_arrow_reader(rows)
        except (duckdb.Error, pa.ArrowException) as error:
            raise _damaged(names, str(error)) from error


def _damaged(names: Sequence[str], error: str) -> Stopped:
    """Pages damaged in a column that nothing was counted over: nothing has landed yet."""
    files = ", ".join(names)[:500]
    return Stopped(
        f"{files} cannot be read to the end.",
        (
            Fault(
                code="unreadable_file",
                file=names[0] if len(names) == 1 else None,
                expected=f"Files that can be read to their end ({files}); "
                f"{error.splitlines()[0][:200] if error else 'no reason given'}",
                hint="Have them sent again; nothing of this delivery was taken in.",
            ),
        ),
    )


@dataclass(frozen=True)
class _Shape:
    sql: str
    build: Callable[[pa.RecordBatch, pa.Schema], pa.RecordBatch]


def _shape(
    table: TableSchema,
    one: Typed,
    delivery: Delivery,
    opened: Opened,
    readers: dict[str, TagReader],
    privacy: Privacy | None,
) -> _Shape:
    """How one group is selected, and how a batch of it becomes a batch of the table."""
    files = pa.array(opened.names, pa.string())
    constants = {
        "source": pa.scalar(delivery.source, pa.string()),
        "delivery_id": pa.scalar(delivery.delivery_id, pa.string()),
        "known_at": pa.scalar(delivery.known_at, pa.timestamp("us", tz="UTC")),
    }
    selected = [c.name for c in table.columns if c.name not in (*PROVENANCE, "x_columns")]
    extras = one.view.extras
    texts = [
        f"{e.sql if is_text(e) or e.type.startswith('DECIMAL') else as_text(e)} AS x{n}"
        for n, e in enumerate(extras)
    ]
    names = [extra.name for extra in extras]
    good = f"{one.where} AND NOT ({one.bad})" if one.bad_rows else one.where
    sql = (
        f"SELECT {', '.join(['file_no', 'row_number', *map(identifier, selected), *texts])} "
        f"FROM {one.name} WHERE {good}"
    )

    def build(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        rows = batch.num_rows
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        more = [columns[f"x{n}"] for n in range(len(extras))]
        more_names = list(names)
        for name, shown in _TEXT_MAPS.items():
            text = columns.get(name)
            if text is None or not pa.types.is_string(text.type):
                continue
            columns[name], failed = readers.setdefault(shown, TagReader()).read(text)
            if failed.true_count:
                more.append(pc.if_else(failed, text, pa.scalar(None, pa.string())))
                more_names.append(shown)
        columns["file"] = files.take(columns["file_no"])
        columns.update((name, pa.repeat(value, rows)) for name, value in constants.items())
        if "x_columns" in schema.names:
            columns["x_columns"] = columns_as_map(more_names, more, rows)
        fitted = {field.name: fit(columns[field.name], field.type) for field in schema}
        if privacy is not None:
            fitted = {name: privacy.column(name, values) for name, values in fitted.items()}
        return pa.RecordBatch.from_arrays(list(fitted.values()), schema=schema)

    return _Shape(sql, build)


def fit(column: pa.Array, type_: pa.DataType) -> pa.Array:
    return column if column.type.equals(type_) else column.cast(type_)
