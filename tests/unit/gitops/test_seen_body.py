"""A pull request's body in a browser, in a column as wide as GitHub's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from finops_dagster.domain.decisions import ChangeSet, Decision, Edit
from finops_dagster.domain.pull_requests import UseSeries
from finops_dagster.gitops.rendering import render_body
from finops_dagster.gitops.wanted import Shown, Wanted
from tests.builders import CPU, proposal, verdict
from tests.unit.gitops.inert import GITHUB
from tests.unit.gitops.test_hostile import HOSTILE, hostile, shown

STYLE = """
body { font: 14px/1.5 Helvetica, Arial, sans-serif; width: 848px; margin: 0 }
table { border-collapse: collapse; display: block; width: max-content; max-width: 100%;
        overflow: auto }
th, td { border: 1px solid #ccc; padding: 6px 13px }
code { font-size: 85%; padding: .2em .4em } pre { overflow: auto }
"""
MEASURE = """
const shown = (element) => element.offsetHeight > 0 && element.offsetWidth > 0;
const all = (selector) => [...document.querySelectorAll(selector)];
for (const element of all('details')) element.open = true;
const measured = {
  overflow: document.body.scrollWidth - document.body.clientWidth,
  wide: all('table').filter((one) => one.scrollWidth > one.clientWidth + 1).length,
  rows: all('tr').filter(shown).length,
  hidden: all('tr').filter((one) => !shown(one)).length,
  linked: all('a, img, script:not(#measure), iframe, form, input').length,
  headings: all('h3').filter(shown).map((one) => one.textContent),
};
document.title = JSON.stringify(measured);
"""


def ordinary() -> tuple[list[Wanted], Shown]:
    """A long but honest name, a picture, owners, rules and a record."""
    of = proposal(
        resource="StatefulSet/recommendation-platform/session-feature-store-cache",
        wrong_if="it has a peak that none of the days measured shows",
        counterfactual=(
            "the high quantile of its CPU that the rule goes by were above 1.251 cores a replica "
            "(it is 0.31)",
            "its price were under 0.01041 of today's: it would save under 5 USD a month (it saves "
            "480.00)",
        ),
    )
    edit = Edit(
        file="apps/recommendation-platform/overlays/production-eu-west-1/kustomization.yaml",
        start_byte=1, end_byte=2, before="2", after="500m",
    )  # fmt: skip
    change = ChangeSet(proposal_id=of.id, key=of.key, base_sha="c" * 40, edits=(edit,))
    use = UseSeries(
        unit="cores",
        starts=tuple(datetime(2026, 4, 19, tzinfo=UTC) + timedelta(hours=n) for n in range(336)),
        typical=(0.1,) * 336, peak=(0.3,) * 336, current=2.0, proposed=0.5,
    )  # fmt: skip
    judged = verdict(of, Decision.NEEDS_APPROVAL).model_copy(
        update={"rung_reason": "No record of this kind exists yet.", "approvers": ("@shop/leads",)}
    )
    beside = Shown(
        owners=("@shop/recommendation-platform-owners",), uses={of.id: use},
        records={of.kind.value: "Of 4 in 90 days none was reverted."},
    )  # fmt: skip
    return [Wanted(of, judged, change)], beside


def several() -> tuple[list[Wanted], Shown]:
    (one,), beside = ordinary()
    return [one, one._replace(proposal=proposal(field=CPU))], beside


def nasty() -> tuple[list[Wanted], Shown]:
    item = hostile(" ".join(HOSTILE[name] for name in ("html", "markdown", "table", "autolinks")))
    return [item], shown(item, HOSTILE["html"])


@pytest.mark.browser
@pytest.mark.parametrize(
    ("made", "rows", "wide"),
    [(ordinary, 10, 0), (several, 26, 0), (nasty, 9, None)],
    ids=["ordinary", "several", "hostile"],
)
def test_a_reviewer_sees_every_row_and_need_not_scroll(
    made: object, rows: int, wide: int | None, tmp_path: Path
) -> None:
    """Harm: before and after are two screens apart, or a row is not shown at all."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    assert callable(made)
    body = render_body(*made())
    page = tmp_path / "body.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{GITHUB.render(body)}"
        f"<script id=measure>{MEASURE}</script>"
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,2000"]  # fmt: skip
    done = subprocess.run(
        [chromium, *flags, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found is not None
    seen = json.loads(unescape(found[1]))
    assert seen["overflow"] == seen["hidden"] == seen["linked"] == 0
    assert seen["rows"] == rows
    assert wide is None or seen["wide"] == wide
    assert [one for one in seen["headings"] if one in ("Policy", "Who must approve")] == [
        "Policy",
        "Who must approve",
    ]
