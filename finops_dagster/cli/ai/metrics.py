"""`finops ai metrics`: quality, fairness and drift of a model from two tables.

What is computed of them is said in responsible_ai.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, command
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.domain.errors import SettingsError


@command("ai_metrics")
def ai_metrics(
    reference: Annotated[Path, typer.Option(help="Parquet or CSV of the reference window.")],
    analysis: Annotated[Path, typer.Option(help="Parquet or CSV of the window judged.")],
    schema: Annotated[Path, typer.Option(help="JSON or YAML: which column means what.")],
    as_json: AsJson = False,
) -> int:
    """Quality, fairness and drift of a model from two tables, with intervals."""
    from finops_dagster.responsible_ai import MetricSchema, metrics

    meaning = MetricSchema.parse(_document(schema))
    rows, abstained = metrics(_table(reference), _table(analysis), meaning)
    if as_json:
        print_json(envelope("ai_metrics", [asdict(row) for row in rows], abstained=abstained))
        return 0
    print_table(
        "model metrics",
        ("metric", "segment", "value", "low", "high"),
        [(r.metric, r.segment, r.value, r.low, r.high) for r in rows],
    )
    return 0


def _table(path: Path) -> Any:
    import pyarrow.csv
    import pyarrow.parquet

    if not path.exists():
        raise SettingsError(f"{path} does not exist.")
    reader = pyarrow.csv.read_csv if ".csv" in path.suffixes else pyarrow.parquet.read_table
    return reader(path).to_pandas()


def _document(path: Path) -> Any:
    from ruamel.yaml import YAML

    if not path.exists():
        raise SettingsError(f"{path} does not exist.")
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else YAML(typ="safe", pure=True).load(text)
