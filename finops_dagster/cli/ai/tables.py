"""Reads the tables and the schema that `finops ai metrics` is given.

What their columns mean is said in responsible_ai; of a file that cannot be used is told what to do.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from finops_dagster.domain.errors import Fault, SettingsError

_CSV = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq", ".parq")


def read_table(path: Path) -> Any:
    """A Parquet or CSV file, gzipped or not, as a frame. Raises SettingsError."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    _must_exist(path, "a Parquet or CSV file")
    kinds = [suffix.lower() for suffix in path.suffixes]
    text = any(kind in _CSV for kind in kinds)
    if not text and not any(kind in _PARQUET for kind in kinds):
        raise _refused(
            "kind_of_file", path, f"Expected Parquet or CSV, found {path.suffix or 'no suffix'}.",
            "Name it .parquet, .pq, .csv or .csv.gz.",
        )  # fmt: skip
    try:
        if not text:
            return _frame(pyarrow.parquet.ParquetFile(path).read())
        if path.stat().st_size == 0:
            raise _refused(
                "empty_file", path, "Expected a header and rows, found an empty file.",
                "Write at least the header.",
            )  # fmt: skip
        options = pyarrow.csv.ParseOptions(delimiter="\t" if ".tsv" in kinds else ",")
        return _frame(pyarrow.csv.read_csv(path, parse_options=options))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _refused(
            "unreadable", path,
            f"Expected a {'CSV' if text else 'Parquet'} file; it cannot be read: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}.",
            "Write it again, or name it by what it holds.",
        ) from None  # fmt: skip


def _frame(table: Any) -> Any:
    """As pandas, also where two columns have one name; an index that pandas wrote is no column."""
    import pandas as pd

    names = table.column_names
    frame = table.rename_columns([str(number) for number in range(len(names))]).to_pandas(
        ignore_metadata=True
    )
    kept = [at for at, name in enumerate(names) if not re.fullmatch(r"__index_level_\d+__", name)]
    columns = pd.Index([names[at] for at in kept], dtype="object")
    return frame.iloc[:, kept].set_axis(columns, axis=1)


def read_document(path: Path) -> Any:
    """A JSON or YAML file as plain values. Raises SettingsError."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    _must_exist(path, "a JSON or YAML file")
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return json.loads(text)
        return YAML(typ="safe", pure=True).load(text)
    except json.JSONDecodeError as error:
        said, row = f"it is no JSON: {error.msg}", error.lineno
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        said = f"it cannot be read: {getattr(error, 'problem', None) or type(error).__name__}"
        row = mark.line + 1 if mark is not None else 1
    raise SettingsError(
        f"{path} cannot be used.",
        (
            Fault(
                code="unreadable", file=str(path), row=row,
                expected=f"Expected JSON or YAML; {said}.", hint="Mend the line.",
            ),
        ),
    )  # fmt: skip


def _must_exist(path: Path, what: str) -> None:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise _refused("no_file", path, f"Expected {what}, found {found}.", "Check the path.")


def _refused(code: str, path: Path, expected: str, hint: str) -> SettingsError:
    fault = Fault(code=code, file=str(path), expected=expected, hint=hint)
    return SettingsError(f"{path} cannot be used.", (fault,))
