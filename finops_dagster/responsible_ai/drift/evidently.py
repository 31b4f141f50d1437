"""Evidently's drift report, with our index as its method and our thresholds: page only.

What has drifted is decided in `drift`; the report shows the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.responsible_ai.drift.columns import Column
from finops_dagster.responsible_ai.drift.shift import index_of
from finops_dagster.responsible_ai.results import DriftOptions, FeatureDrift

_METHOD = "psi_permuted"
_METHOD_SHOWN = "Population stability index, threshold by permutation"


def write_report(
    columns: Sequence[Column], judged: Sequence[FeatureDrift], options: DriftOptions, html: Path
) -> None:
    """Evidently's data drift report with our index as its method and our thresholds."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    _register()
    names = safe_names([column.name for column in columns])
    numeric = [names[c.name] for c in columns if c.numbers is not None]
    texts = [name for name in names.values() if name not in numeric]
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=texts)
    sets = []
    for side in ("current", "reference"):
        frame = pd.DataFrame(
            {names[c.name]: _shown(c, side, names[c.name] in numeric) for c in columns}
        )
        sets.append(Dataset.from_pandas(frame, data_definition=definition))
    preset = DataDriftPreset(
        method=_METHOD,
        per_column_threshold={names[f.feature]: f.threshold for f in judged},
        drift_share=options.share_fail,
    )
    snapshot = Report([preset], include_tests=True).run(sets[0], sets[1])
    html.parent.mkdir(parents=True, exist_ok=True)
    html.write_text(snapshot.get_html_str(as_iframe=False), encoding="utf-8")


def _shown(column: Column, side: str, numeric: bool) -> pd.Series[Any]:
    values = column.series(side == "current")
    return values if numeric else values.map(_plain)


def _plain(text: str) -> str:
    """Text without characters that mark-up or a script could begin with."""
    return "".join(c if c.isalnum() or c in " _-.:,()/%+=#" else "?" for c in text)[:80]


def safe_names(names: list[str]) -> dict[str, str]:
    """A name fit for a page that does not escape, for every name, all different.

    Evidently writes names into a script element as they are: `</script>` in one would end it.
    """
    safe: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        base = _plain(name) or "?"
        shown, number = base, 2
        while shown in taken:
            shown, number = f"{base} ({number})", number + 1
        taken.add(shown)
        safe[name] = shown
    return safe


def _register() -> None:
    """Make our index known to Evidently, by name; doing so again changes nothing."""
    from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    test = StatTest(
        name=_METHOD,
        display_name=_METHOD_SHOWN,
        allowed_feature_types=[ColumnType.Numerical, ColumnType.Categorical],
        default_threshold=0.1,
    )
    register_stattest(test, _evidently_index)


def _evidently_index(
    reference: pd.Series[Any], current: pd.Series[Any], kind: Any, threshold: float
) -> tuple[float, bool]:
    score = index_of(reference.reset_index(drop=True), current.reset_index(drop=True))
    return score, score >= threshold
