"""Tags in the notations that bills use."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.sources.tags import TagReader, columns_as_map, read_tags


@pytest.mark.parametrize(
    ("text", "tags", "mended"),
    [
        ('{"team": "web"}', {"team": "web"}, False),
        ("{}", {}, False),
        ('{"n": 1.50, "on": true, "none": null, "deep": {"a": 1}}',
         {"n": "1.50", "on": "true", "none": None, "deep": '{"a": "1"}'}, False),
        ('{"a": "1", "a": "2"}', {"a": "2"}, True),
        ('"env": "prod","org": "trey"', {"env": "prod", "org": "trey"}, True),
        ("{'team': 'web', 'tier': 1}", {"team": "web", "tier": "1"}, True),
        ('[{"key": "team", "value": "web"}]', {"team": "web"}, True),
        ('[{"Key": "team", "Value": "web"}, {"Key": "a", "Value": null}]',
         {"team": "web", "a": None}, True),
        ("[('team', 'web')]", {"team": "web"}, True),
        ("team=web;env=prod", {"team": "web", "env": "prod"}, True),
        ("{team=web, env=prod}", {"team": "web", "env": "prod"}, True),
        ("team:web,env:prod", {"team": "web", "env": "prod"}, True),
        ("just words", None, True),
        ("[1, 2]", None, True),
        ("__import__('os').system('true')", None, True),
    ],
)  # fmt: skip
def test_notations(text: str, tags: dict[str, str | None] | None, mended: bool) -> None:
    """A tag not read is spend that belongs to nobody."""
    assert read_tags(text) == (tags, mended)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Users type tags: no text may stop a bill."""
    tags, _ = read_tags(text)
    assert tags is None or all(isinstance(key, str) for key in tags)


def test_columns_of_text_are_read_once_per_distinct_text_and_counted_by_row() -> None:
    """Counts are of rows: that is what a person compares with the file."""
    reader = TagReader()
    column = pa.array(['{"a": "1"}', None, "a=1", "a=1", "???"])
    maps, failed = reader.read(column)
    assert maps.to_pylist() == [[("a", "1")], None, [("a", "1")], [("a", "1")], None]
    assert failed.to_pylist() == [False, False, False, False, True]
    assert (reader.mended, reader.unreadable) == (3, 1)


def test_unreadable_tags_are_kept_as_text(tmp_path, write_csv, charge, read_one) -> None:
    """What cannot be read today may be read tomorrow, if it is still there."""
    path = write_csv(tmp_path / "b.csv", [charge(Tags="???"), charge()])
    read = read_one("focus", path)
    assert read.rows["tags"].to_pylist() == [None, [("team", "web")]]
    assert read.rows["x_columns"].to_pylist() == [[("Tags", "???")], None]
    assert read.conformance["tags_unreadable"] == ["Tags"]


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.one_of(st.none(), st.text(max_size=5)), min_size=width, max_size=width),
            max_size=6,
        ).map(lambda rows: (width, rows))
    )
)
def test_columns_as_map_is_what_a_loop_would_make(
    case: tuple[int, list[list[str | None]]],
) -> None:
    """Index arithmetic that is off by one gives one resource's columns to another."""
    width, rows = case
    names = [f"n{place}" for place in range(width)]
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(width)]
    expected = [
        [(name, value) for name, value in zip(names, row, strict=True) if value is not None] or None
        for row in rows
    ]
    assert columns_as_map(names, columns, len(rows)).to_pylist() == expected
