"""The section of fine series: two lists, worded; nothing hostile gets through."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.report import Mark, ReportData, render_plot_series
from finops_dagster.report.data import SPEND_COLUMNS, TELEMETRY_COLUMNS
from finops_dagster.report.page import render_text
from finops_dagster.report.telemetry import telemetry

AS_OF = date(2026, 4, 10)
SIX = datetime(2026, 4, 10, 6, tzinfo=UTC)
EMPTY = ReportData(estate="e", as_of=AS_OF, spend=pd.DataFrame(columns=list(SPEND_COLUMNS)))
HOSTILE = "<script>alert(1)</script>"


def row(**changed: Any) -> dict[str, Any]:
    usual = {
        "class": "far", "resource": "Deployment/shop/web", "cluster": "main",
        "container": "server", "metric": "cpu_cores", "unit": "cores", "owner": "storefront",
        "why": "high", "from": SIX, "to": SIX + timedelta(hours=3), "began": True,
        "value": 41.5, "expected": 10.0, "z": 12.4,
    }  # fmt: skip
    return usual | changed


def data(*rows: dict[str, Any]) -> ReportData:
    return replace(EMPTY, telemetry=pd.DataFrame(rows, columns=list(TELEMETRY_COLUMNS)))


def words(page: str) -> str:
    section = page[page.index('<h2 id="telemetry">') : page.index('<h2 id="waste">')]
    return " ".join(html.unescape(re.sub(r"<wbr>|<[^>]+>", " ", section)).split())


def test_a_page_says_what_since_when_how_far_who_and_what_to_look_at() -> None:
    """Harm: somebody is woken and has to ask of what."""
    said = words(render_text(data(row())))
    for told in (
        "Far out (1)", "CPU used", "Deployment/ shop/ web", "server, main", "2026-04-10 06:00 UTC",
        "until 2026-04-10 09:00 UTC", "41.5 cores", "10 cores", "12 deviations above",
        "storefront", "whether its CPU limit holds it back", "Never seen before (0) ",
    ):  # fmt: skip
        assert told in said, told


def test_the_two_classes_are_never_mixed() -> None:
    """Harm: a feed of news that pages is switched off, and the pages with it."""
    novel = row(**{"class": "novel", "why": "shape", "resource": "Deployment/shop/api", "z": -1.2})
    found = telemetry(data(row(), novel))
    assert found is not None
    assert [one.resource for one in found.far] == ["Deployment/shop/web"]
    assert [one.resource for one in found.novel] == ["Deployment/shop/api"]
    assert found.novel[0].new == "its shape over 24 steps"
    assert found.novel[0].look.startswith("schedules")


def test_what_goes_on_and_what_was_known_is_said() -> None:
    old = row(**{"from": SIX - timedelta(days=3), "to": datetime(2026, 4, 11, tzinfo=UTC)})
    said = words(render_text(data(old | {"began": False, "owner": ""})))
    assert "2026-04-07 06:00 UTC goes on, told before" in said
    assert "unknown" in said


def test_amounts_are_told_in_units_of_people() -> None:
    memory = {"metric": "memory_working_set_bytes", "unit": "bytes", "z": -6.0}
    gpu = {"metric": "gpu_utilisation_percent", "unit": "percent"}
    network = {"metric": "network_receive_bytes_per_second", "unit": "bytes per second"}
    found = telemetry(
        data(
            row(**memory, value=2.0**30, expected=3 * 2.0**30),
            row(**gpu, value=97.0, expected=2.5),
            row(**network, value=5e6, expected=1e3),
            row(metric="unheard_of", unit="", z=np.nan),
        )
    )
    assert found is not None
    assert [(one.value, one.expected) for one in found.far] == [
        ("1 GiB", "3 GiB"), ("97.0 %", "2.5 %"), ("4.77 MiB/s", "1,000 B/s"), ("41.5", "10"),
    ]  # fmt: skip
    assert found.far[0].far == "6 deviations below"
    assert found.far[0].look.startswith("its restarts")
    assert (found.far[3].what, found.far[3].far) == ("Unheard of", "")


def test_hostile_names_stay_text() -> None:
    """Names of containers are written by whoever can start one."""
    names = ("resource", "cluster", "container", "metric", "unit", "owner")
    hostile = row(**dict.fromkeys(names, HOSTILE))
    page = render_text(data(hostile, hostile | {"class": "novel"}))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_where_nothing_was_watched_the_page_says_so() -> None:
    """Harm: nothing found and nothing looked at read alike."""
    assert "Nothing was watched" in words(render_text(EMPTY))
    said = words(render_text(data()))
    assert "Nothing was watched" not in said
    assert said.count("None.") == 2


def test_long_lists_are_folded() -> None:
    page = render_text(data(*(row(resource=f"Deployment/shop/web-{n}") for n in range(40))))
    assert ">28 more<" in page
    assert page.count("Deployment/<wbr>shop/<wbr>web-") == 40


def test_plots_take_any_name_and_any_value() -> None:
    """A dollar sign opens mathematics, which fails in the middle of a day's run."""
    times = [SIX + timedelta(hours=n) for n in range(48)]
    values = np.r_[np.full(24, np.nan), np.linspace(0, 1e12, 24)].tolist()
    marks = [
        Mark(SIX - timedelta(days=9), SIX + timedelta(hours=30), far=True),
        Mark(times[40], times[41], far=False),
        Mark(times[42], times[43], far=False),
    ]
    for title in ("$x$", r"a $\frac{", "_^{" + HOSTILE, "long " * 100):
        png = render_plot_series(
            list(zip(times, values, strict=True)), marks, expected=3.0, unit="$", title=title
        )
        assert png.startswith(b"\x89PNG")
    assert render_plot_series([], [], expected=0.0, unit="", title="").startswith(b"\x89PNG")
