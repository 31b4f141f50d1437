"""Charts and plots: every value inside the drawing, nothing drawn of nothing."""

from __future__ import annotations

import re
import sys
from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from finops_dagster.report import render_plot_spend, render_plot_utilisation
from finops_dagster.report.charts import WIDE, Point, compact, month_chart, spend_chart, ticks

DAY = date(2026, 10, 1)


def points(values: list[float]) -> list[Point]:
    return [
        Point(DAY + timedelta(days=n + 40), value, value - 1, value + 1, value - 2, value + 2)
        for n, value in enumerate(values)
    ]


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40),
    st.lists(st.floats(-1e9, 1e9), max_size=30),
)
def test_everything_is_drawn_inside(history: list[float], ahead: list[float]) -> None:
    """A value outside the box is cut off and read as less."""
    past = [(DAY + timedelta(days=n), value) for n, value in enumerate(history)]
    drawn = spend_chart(past, points(ahead), "t")
    for x, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", drawn):
        assert WIDE.left - 1 <= float(x) <= WIDE.width - WIDE.right + 1
        assert WIDE.top - 1 <= float(y) <= WIDE.height - WIDE.bottom + 1
    assert "nan" not in drawn
    assert "inf" not in drawn


@given(st.floats(-1e12, 1e12), st.floats(1e-3, 1e12))
def test_ticks_cover_their_range(low: float, span: float) -> None:
    """An axis that ends below its values lies."""
    assume(span > abs(low) * 1e-6)
    marks = ticks(low, low + span)
    step = marks[1] - marks[0]
    assert marks[0] <= low + step * 1e-3
    assert marks[-1] >= low + span - step * 1e-3
    assert len(marks) <= 12


def test_titles_are_escaped() -> None:
    """A team may be called anything."""
    assert "<b>" not in spend_chart([(DAY, 1.0)], [], '"><b>x')


def test_part_months_look_different() -> None:
    """Half a month drawn as a whole one reads as a fall."""
    drawn = month_chart([(DAY, 5.0, True), (date(2026, 11, 1), 2.0, False)], "t")
    assert drawn.count('class="column"') == 1
    assert drawn.count('class="column part"') == 1
    assert month_chart([], "t") == ""


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (950, "950"), (1234, "1.2k"), (-3.4e6, "-3.4M"), (0.5, "0.5")]
)
def test_axis_labels_are_short(value: float, text: str) -> None:
    """A long label is cut off at the edge."""
    assert compact(value) == text


def test_plots_are_images_and_repeatable() -> None:
    """Asset metadata that changes with the clock hides what changed in the data."""
    past = [(DAY + timedelta(days=n), 100.0 + n) for n in range(30)]
    png = render_plot_spend(past, points([120.0, 130.0]), "USD", title="team $x$ _y")
    assert png.startswith(b"\x89PNG")
    assert png == render_plot_spend(past, points([120.0, 130.0]), "USD", title="team $x$ _y")
    svg = render_plot_spend(past, [], "USD", image="svg")
    assert b"<svg" in svg
    assert svg == render_plot_spend(past, [], "USD", image="svg")


def test_spend_plot_takes_gaps() -> None:
    """A forecast without history, and neither, both occur."""
    assert render_plot_spend([], points([1.0]), "USD").startswith(b"\x89PNG")
    assert render_plot_spend([], [], "USD").startswith(b"\x89PNG")


def test_utilisation_plot_takes_gaps() -> None:
    """A workload without a request must not keep the others from being drawn."""
    frame = pd.DataFrame({"cpu_request_cores": [1.0, None, 0.5], "cpu_cores_p99": [0.2, 0.1, 0.7]})
    assert render_plot_utilisation(frame).startswith(b"\x89PNG")
    assert render_plot_utilisation(frame.iloc[:0]).startswith(b"\x89PNG")


def test_report_imports_no_plotting_library() -> None:
    """matplotlib costs half a second of every command that never draws."""
    import subprocess

    code = "import sys, finops_dagster.report; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
