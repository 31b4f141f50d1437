"""What a machine has for pods, as read from a publication."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from finops_dagster.defs.insight.running import machine_room
from finops_dagster.storage.publication import PublicationStore

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)
DAYS = [date(2026, 3, day) for day in (1, 2, 9)]


def test_the_room_of_a_machine_is_the_mean_of_the_cluster_with_the_most(tmp_path: Path) -> None:
    """A raise that fits on no machine is a pod that never starts."""
    file = tmp_path / "small.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """
            create table fct_cluster_capacity_daily as select * from (values
                (date '2026-03-01', 'small', 48.0, 48.0 * 1.9, 48.0 * 7),
                (date '2026-03-02', 'large', 24.0, 24.0 * 3.9, 24.0 * 14),
                (date '2026-03-02', 'unknown', 24.0, null, null),
                (date '2026-03-09', 'large', 24.0, 24.0 * 95, 24.0 * 360)
            ) as rows (
                day, cluster, node_hours, allocatable_cpu_core_hours, allocatable_memory_gib_hours
            )
            """
        )
    store = PublicationStore(tmp_path / "published")
    assert store.current() is None
    store.publish(store.export(file, "fct_cluster_capacity_daily", "day", DAYS, NOW, {}), NOW)
    manifest = store.current()
    assert manifest is not None
    reader = store.reader(manifest)
    room = machine_room(reader, date(2026, 3, 8), 14)
    assert room == {"cpu": Decimal("3.9"), "memory": Decimal(14 * 1024**3)}
    assert machine_room(reader, date(2026, 1, 1), 14) == {}
