"""What each figure means: the metrics that the dbt project defines, as SQL over its marts.

`python -m finops_dagster.defs.metrics` writes docs/metrics.md from them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from finops_dagster.defs.warehouse.project import prepared_manifest

_PAGE = """\
# Metrics

What each figure means, written from the definitions in `dbt_project/models/marts/_metrics.yml`.
`finops metrics` sums by the same. Money is summed within one currency.

    finops metrics
    finops metrics effective_savings_rate --by service_name --month 2026-10

| metric | is | unit | of |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Metric:
    """One figure: sums of an expression over the rows of a mart, or a ratio of two of them."""

    name: str
    label: str
    description: str
    unit: str
    """`currency` for money, `share`, or a unit of measure."""
    mart: str
    dimensions: tuple[str, ...]
    """Columns of the mart that it may be told by."""
    value: str
    """What of a row is summed, as SQL."""
    of: str | None = None
    """What of a row the sum is divided by the sum of; None for a plain sum."""

    @property
    def in_currency(self) -> bool:
        """Whether it is money or a share of money, which is told within one currency."""
        return self.unit in ("currency", "share")

    @property
    def sql(self) -> str:
        """The figure of a group of rows, as SQL."""
        if self.of is None:
            return f"sum({self.value})"
        return f"cast(sum({self.value}) as double) / nullif(cast(sum({self.of}) as double), 0)"


@dataclass(frozen=True)
class Metrics:
    """Every metric of the project, by name."""

    by_name: dict[str, Metric]

    @classmethod
    def of_project(cls, project: Path) -> Self:
        """As dbt parsed them, parsed now if the project changed. Raises FinopsError."""
        parsed = prepared_manifest(project).with_name("semantic_manifest.json")
        document = json.loads(parsed.read_text(encoding="utf-8"))
        measured = {
            measure["name"]: (model, measure.get("expr") or measure["name"])
            for model in document["semantic_models"]
            for measure in model["measures"]
        }
        told = [one for one in document["metrics"] if "unit" in one["config"]["meta"]]
        found = [_metric(one, measured) for one in told]
        return cls({one.name: one for one in found})

    def over(self, mart: str) -> list[Metric]:
        """Those that are summed over a mart."""
        return [one for one in self.by_name.values() if one.mart == mart and one.of is None]


def _metric(said: dict[str, Any], measured: dict[str, tuple[dict[str, Any], str]]) -> Metric:
    types = said["type_params"]
    value = (types["measure"] or types["numerator"])["name"]
    of = types["denominator"] and types["denominator"]["name"]
    model, expression = measured[value]
    return Metric(
        name=said["name"],
        label=said["label"],
        description=said["description"],
        unit=said["config"]["meta"]["unit"],
        mart=model["node_relation"]["alias"],
        dimensions=tuple(one["name"] for one in model["dimensions"]),
        value=expression,
        of=measured[of][1] if of else None,
    )


def page(metrics: Metrics) -> str:
    """docs/metrics.md."""
    rows = (
        f"| `{one.name}` | {one.description} | {one.unit} | `{one.mart}` |\n"
        for one in metrics.by_name.values()
    )
    return _PAGE + "".join(rows)


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    (root / "docs" / "metrics.md").write_text(
        page(Metrics.of_project(root / "dbt_project")), encoding="utf-8"
    )
