"""`finops why` on an estate that was lived through, and its ledger when somebody changes it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from tests.e2e.estate import World, finops

STEPS = ["charges", "measurements", "forecast", "finding", "proposal"]


def test_the_story_of_a_pull_request_from_the_bill_to_the_approver(
    another_estate: Callable[..., Path],
) -> None:
    """Harm: an auditor cannot follow a change back to the rows of the bill and to who let it in."""
    estate = another_estate()
    opened = finops(estate, "prs", "--state", "open", "--json").items
    # what puts a model right is for no money, and has no charges
    first = next(one for one in opened if one["saving_per_month"]["currency"] != "XXX")
    number = str(first["number"])
    assert finops(estate, "pr", "merge", number).code == 0
    answer = finops(estate, "why", number, "--json")
    assert answer.code == 0, answer.err
    steps = answer.items
    names = [one["step"] for one in steps]
    assert names[:5] == STEPS
    assert [name for name in names if name not in (*STEPS, "rule", "action", "human decision")] == [
        "verdict", "change set", "pull request", "approver", "ledger",
    ]  # fmt: skip
    by_name = {one["step"]: one for one in steps}
    charges = by_name["charges"]["evidence"]
    rows = charges["rows"]
    assert rows
    assert all((estate / "exports" / one["source"] / one["file"]).is_file() for one in rows)
    assert sum(Decimal(one["effective_cost"]) for one in charges["meters"]) > 0
    assert by_name["measurements"]["evidence"]["mart_rows"] > 0
    assert by_name["proposal"]["evidence"]["id"] == first["members"][0]["proposal_id"]
    assert by_name["verdict"]["evidence"]["bundle"].startswith("bundle-")
    assert by_name["change set"]["evidence"]["edits"][0]["file"] == first["files"][0]["path"]
    assert by_name["approver"]["what"].startswith("merged by ")
    assert "\n@@" in by_name["pull request"]["evidence"]["diff"]
    kinds = {one["kind"] for one in by_name["ledger"]["evidence"]["entries"]}
    assert {"finding", "proposal", "verdict", "change_set", "pull_request"} <= kinds
    assert answer.json["abstained"] == []


def test_the_same_story_by_every_name(world: World) -> None:
    """Harm: who knows only the resource or the finding gets another story, or none."""
    (first, *_) = world.finops("prs", "--json").items
    told = world.finops("why", str(first["number"]), "--json").items
    proposal = next(one for one in told if one["step"] == "proposal")
    finding = next(one for one in told if one["step"] == "finding")
    for name in (proposal["evidence"]["id"], finding["evidence"]["id"], f"#{first['number']}"):
        assert world.finops("why", name, "--json").items == told
    page = world.finops("why", first["resource"])
    assert page.code == 0
    assert "every hash of the ledger holds" in page.out
    unknown = world.finops("why", "Deployment/no/such")
    assert unknown.code == 2
    assert "finops proposals" in unknown.err


def test_a_ledger_that_somebody_changed_is_named(another_estate: Callable[..., Path]) -> None:
    """Harm: the proof is there and nobody is told that it fails."""
    estate = another_estate()
    (whole,) = finops(estate, "audit", "verify", "--forge", "--json").items
    assert (whole["intact"], whole["notes"]) == (True, [])
    assert whole["witnesses"] == len(finops(estate, "prs", "--json").items) > 0
    chain = estate / ".finops" / "ledger" / "chain.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join(lines[:4] + lines[5:]))
    answer = finops(estate, "audit", "verify", "--json")
    assert answer.code == 1
    (row,) = answer.items
    assert (row["entries"], row["broken"]["sequence"], row["broken"]["what"]) == (4, 5, "removed")
    assert "entry 5 was removed" in finops(estate, "audit", "verify").out
