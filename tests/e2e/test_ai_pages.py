"""Pages about AI as a person opens them from a folder: in a real browser, without any network.

What is on them is held by the tests of the package; here, that it can be read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from finops_dagster.domain.decisions import GateResult
from finops_dagster.domain.models import Check, RiskClass
from finops_dagster.responsible_ai import ModelSpec, judge_model
from finops_dagster.responsible_ai.governance.pages import write_register
from finops_dagster.responsible_ai.governance.register import (
    JudgedDay,
    Kind,
    Link,
    System,
    open_breaches,
    registered,
)
from tests.e2e.estate import ROOT, World
from tests.e2e.served import Browser, browser

sys.path.insert(0, str(ROOT / "tests" / "unit" / "responsible_ai"))
from worlds import AS_OF, log

LAPTOP = (1366, 768)
SECONDS = 1.0
LONG = "a-model-whose-name-somebody-generated-and-never-looked-at-" * 3
SCREENSHOTS = ROOT / "build" / "screenshots"
"""Kept, so that a person can look at what the browser saw."""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.fixture(scope="module")
def hand_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day's folder with what is hardest to lay out: long names, many groups, nothing at all."""
    folder = tmp_path_factory.mktemp("pages")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    gates: dict[str, GateResult] = {}
    for number, (name, world) in enumerate({"healthy": {}, LONG: {"bias": 1.5}}.items(), 1):
        predictions, labels = log(number, **world)
        predictions["model"] = labels["model"] = name
        groups = [{"g": one["g"], "region": f"region {place % 40}, {LONG}"[:40]}
                  for place, one in enumerate(predictions["groups"])]  # fmt: skip
        predictions["groups"] = groups
        spec = ModelSpec(name, "classification", ("a", "b"), ("g", "region"))
        judged = judge_model(
            predictions, labels, spec, as_of=AS_OF, seed=1, folder=folder / "models" / str(number)
        )
        gates[name] = judged.gate
    nothing = judge_model(
        predictions.iloc[:0], None, spec, as_of=AS_OF, seed=1, folder=folder / "models" / "none"
    )
    days = {AS_OF - timedelta(days=back): list(gates.values()) for back in range(60)}
    systems = [
        System(
            name, Kind.MONITORED, f"team {name}"[:60], "Says who may pay later. " * 6,
            RiskClass.HIGH, "Bills of two years. " * 8, tuple(f"2.{n}.0-{LONG}" for n in range(9)),
            gate=gate, judged=tuple(Check), breaches=open_breaches(name, {AS_OF: [gate]}, AS_OF),
            links=(Link("report", "../models/1/model.html"),),
            history=tuple(JudgedDay(day, gate.result, gate.reasons, (Check.FAIRNESS,))
                          for day in days),
        )
        for name, gate in gates.items()
    ]  # fmt: skip
    systems += [System(f"model {n} of {LONG}", Kind.LANGUAGE) for n in range(60)]
    write_register(folder / "ai", registered("An estate", AS_OF, systems), back="../report.html")
    write_register(folder / "nothing", registered("An estate", AS_OF, []))
    assert nothing.page.exists()
    return folder


def pages_of(folder: Path) -> list[Path]:
    """Pages about AI in a day's folder, without those that Evidently makes."""
    found = [*folder.glob("ai/*.html"), *folder.glob("cards/*.html"),
             *folder.glob("nothing/*.html"), *folder.rglob("models/**/*.html")]  # fmt: skip
    return sorted({one for one in found if "drift" not in one.name})


def looked_at(chromium: Browser, page: Path, shot: Path, *, dark: bool = False) -> None:
    """Open a page from its file, hold it to what a page must be, and keep what was seen."""
    chromium.view(*LAPTOP, dark=dark)
    took = min(_load(chromium, page) for _ in range(3))
    assert 0 < took < SECONDS, f"{page} took {took:.2f} s"
    asked = chromium.script("return performance.getEntriesByType('resource').map(r => r.name)")
    assert asked == [], f"{page} asks for {asked}"
    assert chromium.script("return document.scripts.length") == 0, page
    wide = chromium.script("return document.documentElement.scrollWidth")
    assert wide <= LAPTOP[0], f"{page} is {wide} pixels wide"
    ink, paper = (
        chromium.script(f"return getComputedStyle(document.body).{name}")
        for name in ("color", "backgroundColor")
    )
    assert (_light(ink) > _light(paper)) is dark, f"{page}: {ink} on {paper}"
    assert chromium.text().strip()
    shot.parent.mkdir(parents=True, exist_ok=True)
    chromium.screenshot(shot)
    assert shot.stat().st_size > 5_000


def _load(chromium: Browser, page: Path) -> float:
    """Seconds until a page is whole; of a busy machine, the best of several counts."""
    chromium.open(page.as_uri())
    return float(
        chromium.script(
            "const n = performance.getEntriesByType('navigation')[0];"
            "return (n.loadEventEnd - n.startTime) / 1000"
        )
    )


def _light(colour: str) -> int:
    """Sum of red, green and blue of `rgb(...)`."""
    return sum(int(one) for one in colour.split("(")[1].rstrip(")").split(",")[:3])


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_of_the_hardest_input_can_be_read_on_a_laptop(
    chromium: Browser, hand_made: Path, dark: bool
) -> None:
    """A page that scrolls sideways, waits for a server or is black on black is not read."""
    pages = pages_of(hand_made)
    assert len(pages) >= 60
    shown = [
        *pages[:4],
        *(one for one in pages if one.parent.name in ("nothing", "1", "2", "none")),
    ]
    for page in shown:
        name = f"{page.parent.name}-{page.stem}{'-dark' if dark else ''}.png"
        looked_at(chromium, page, SCREENSHOTS / "hand-made" / name, dark=dark)


@pytest.mark.browser
@pytest.mark.slow
def test_evidentlys_report_opens_without_a_network(chromium: Browser, hand_made: Path) -> None:
    """A report that fetches its pictures from elsewhere is empty where it is needed."""
    (report, *_) = sorted(hand_made.rglob("drift.html"))
    chromium.open(report.as_uri())
    asked = chromium.script("return performance.getEntriesByType('resource').map(r => r.name)")
    assert not [one for one in asked if one.startswith("http")]


@pytest.mark.browser
@pytest.mark.slow
def test_every_page_of_a_day_can_be_read_and_is_found_from_its_report(
    chromium: Browser, world: World
) -> None:
    """A page that nothing links is not there."""
    report = sorted((world.folder / ".finops" / "reports").glob("*/report.html"))[-1]
    pages = pages_of(report.parent)
    assert {one.parent.name for one in pages} >= {"ai", "cards"}
    for page in pages:
        looked_at(chromium, page, SCREENSHOTS / "day" / f"{page.parent.name}-{page.stem}.png")
    found, wait = {report.resolve()}, [report.resolve()]
    while wait:
        here = wait.pop()
        chromium.open(here.as_uri())
        links = chromium.script("return [...document.links].map(a => a.href.split('#')[0])")
        for link in links:
            if not link.startswith("file://"):
                continue
            there = Path(link.removeprefix("file://")).resolve()
            assert there.exists(), f"{here} links {there}, which is not there"
            if there not in found and there.parent.is_relative_to(report.parent.resolve()):
                found.add(there)
                if there.suffix == ".html" and "drift" not in there.name:
                    wait.append(there)
    assert not [page for page in pages if page.resolve() not in found]


@pytest.mark.conformance
@pytest.mark.browser
def test_every_page_of_a_day_can_be_read_in_the_dark(chromium: Browser, world: World) -> None:
    """Half of those who look at pages at night see them dark."""
    report = sorted((world.folder / ".finops" / "reports").glob("*/report.html"))[-1]
    for page in pages_of(report.parent):
        name = f"{page.parent.name}-{page.stem}-dark.png"
        looked_at(chromium, page, SCREENSHOTS / "day" / name, dark=True)
