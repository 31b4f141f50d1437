"""Maps out of text: tags in the notations that bills use, and columns nobody asked for.

Done on Arrow arrays, once per distinct text: bills repeat the same tags millions of times.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finops_dagster.sources.text_files import printable

STRING_MAP = pa.map_(pa.string(), pa.string())
_CACHE = 200_000
_MAX_PYTHON = 100_000
"""Longer text than this is no resource's tags, and Python's parser is slow on nesting."""
_Pairs = dict[str, str | None]


@dataclass
class TagReader:
    """Reads columns of tag text and counts what was not plain JSON."""

    mended: int = 0
    unreadable: int = 0
    _known: dict[str, tuple[_Pairs | None, bool]] = field(default_factory=dict)

    def read(self, column: pa.Array) -> tuple[pa.Array, pa.Array]:
        """The maps, and a mask of the texts that are none (their map is null)."""
        coded = pc.dictionary_encode(column)
        parsed = [self._parse(text) for text in coded.dictionary.to_pylist()]
        maps = pa.array(
            [None if pairs is None else list(pairs.items()) for pairs, _ in parsed], STRING_MAP
        )
        indices = coded.indices
        mended = pa.array([was for _, was in parsed], pa.bool_()).take(indices)
        failed = pc.fill_null(
            pa.array([pairs is None for pairs, _ in parsed], pa.bool_()).take(indices), False
        )
        self.mended += pc.sum(mended).as_py() or 0
        self.unreadable += pc.sum(failed).as_py() or 0
        return maps.take(indices), failed

    def _parse(self, text: str) -> tuple[_Pairs | None, bool]:
        if text not in self._known:
            if len(self._known) >= _CACHE:
                self._known.clear()
            self._known[text] = read_tags(text)
        return self._known[text]


def read_tags(text: str) -> tuple[_Pairs | None, bool]:
    """The tags in a text and whether it was mended; None if it holds none.

    JSON objects; JSON lists of {key, value}; objects without their braces; Python dictionaries;
    key=value or key:value between commas or semicolons. A repeated key keeps its last value.
    """
    value, repeated = _json(text)
    if isinstance(value, dict):
        return _plain(value), repeated
    for attempt in (value, _json("{" + text + "}")[0], _python(text)):
        pairs = _from_list(attempt) if isinstance(attempt, list) else attempt
        if isinstance(pairs, dict):
            return _plain(pairs), True
    return _pairs(text), True


def _json(text: str) -> tuple[object, bool]:
    repeated = False

    def collect(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated
        merged = dict(pairs)
        repeated = repeated or len(merged) < len(pairs)
        return merged

    try:
        value = json.loads(
            text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=collect
        )
    except (ValueError, RecursionError):
        return None, False
    return value, repeated


def _python(text: str) -> object:
    if len(text) > _MAX_PYTHON:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _from_list(items: list[object]) -> dict[str, object] | None:
    """[{key, value}, ...] or [[key, value], ...] as a dictionary."""
    pairs: dict[str, object] = {}
    for item in items:
        if isinstance(item, dict) and len(item) == 2:
            named = {str(k).lower(): v for k, v in item.items()}
            key = named.get("key", named.get("name"))
            if not isinstance(key, str) or "value" not in named:
                return None
            pairs[key] = named["value"]
        elif isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str):
            pairs[item[0]] = item[1]
        else:
            return None
    return pairs


def _pairs(text: str) -> _Pairs | None:
    """key=value, key:value with commas or semicolons between, as exports to spreadsheets have."""
    inner = text.strip().removeprefix("{").removesuffix("}")
    parts = [part for part in inner.split(max(";,", key=inner.count)) if part.strip()]
    for joint in ("=", ":"):
        if parts and all(joint in part for part in parts):
            split = (part.partition(joint) for part in parts)
            return {k.strip().strip("\"'"): v.strip().strip("\"'") for k, _, v in split}
    return None


def _plain(pairs: dict[str, object]) -> _Pairs:
    return {printable(str(key)): _text(value) for key, value in pairs.items()}


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return printable(json.dumps(value, ensure_ascii=False, default=str))
    return str(value)


def columns_as_map(names: Sequence[str], columns: Sequence[pa.Array], rows: int) -> pa.Array:
    """One map per row of the columns that have a value there; null where none has."""
    if not columns:
        return pa.nulls(rows, STRING_MAP)
    texts = [pc.cast(column, pa.string()) for column in columns]
    width = len(texts)
    valid = np.column_stack([pc.is_valid(t).to_numpy(zero_copy_only=False) for t in texts])
    place = (np.arange(width)[None, :] * rows + np.arange(rows)[:, None])[valid]
    keys = pa.array(names, pa.string()).take(pa.array(np.nonzero(valid)[1]))
    items = pa.concat_arrays(texts).take(pa.array(place))
    lengths = valid.sum(axis=1)
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    # a null offset marks a null map; the last offset only ends the array
    empty = np.append(lengths == 0, False)
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32(), mask=empty), keys, items)
