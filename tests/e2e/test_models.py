"""The demo's AI models after a run: each that is ill leads to its right pull request, no other one.

What is ill is read from the demo's truth; how models are judged has tests of its own.
"""

from __future__ import annotations

from typing import Any

from tests.e2e.estate import World

OF_MODELS = frozenset(
    {"model_rollback", "model_canary", "model_pause", "model_retrain", "shadow_ai"}
)


def of_models(items: list[Any]) -> dict[tuple[str, str], Any]:
    """(kind, resource) -> item, of kinds about AI models."""
    return {(one["kind"], one["resource"]): one for one in items if one["kind"] in OF_MODELS}


def test_each_ill_model_is_found_and_no_healthy_one(world: World) -> None:
    """Harm: people go on being treated worse, or teams stop reading what is said of models."""
    truth = of_models(world.truth)
    assert {kind for kind, _ in truth} == {"model_rollback", "model_retrain", "shadow_ai"}
    found = of_models(world.finops("findings", "--json").items)
    assert found.keys() == truth.keys()
    for key, one in found.items():
        assert one["owner"], key
        assert one["reason"], key
    assert found.keys() == of_models(world.finops("proposals", "--json").items).keys()


def test_each_leads_to_the_right_pull_request(world: World) -> None:
    """Harm: a finding that changes nothing, or the wrong version, date or card."""
    truth = of_models(world.truth)
    open_ = {
        key: one
        for key, one in of_models(world.finops("prs", "--json").items).items()
        if one["state"] == "open"
    }
    assert open_.keys() == truth.keys()
    changed = {}
    for key, one in open_.items():
        (shown,) = world.finops("pr", "show", str(one["number"]), "--json").items
        changed[key[0]] = [
            line
            for line in shown["diff"].splitlines()
            if line[:1] in "+-" and not line.startswith(("+++", "---"))
        ]
        assert one["verdict"] != "deny"
        assert {"ai.remedy"} <= set(one["rules"])
        assert one["saving_per_month"]["mid"] in ("0", "0.00")
    rollback = next(one for one in world.truth if one["kind"] == "model_rollback")["expected"]
    before, after = changed["model_rollback"]
    assert before.endswith(f":{rollback['from_version']}")
    assert after == f"+{before[1:].removesuffix(rollback['from_version'])}{rollback['to_version']}"
    retrain = next(one for one in world.truth if one["kind"] == "model_retrain")["expected"]
    before, after = changed["model_retrain"]
    assert retrain["current"] in before
    assert "2026-10-18" in after
    shadow = next(one for one in world.truth if one["kind"] == "shadow_ai")
    card = changed["shadow_ai"]
    assert all(line.startswith("+") for line in card)
    assert f'+  workload: "{shadow["expected"]["workload"]}"' in card
    assert f'+  owner: "{shadow["expected"]["owner"]}"' in card


def test_the_evidence_is_told_in_words(world: World) -> None:
    """Harm: a reviewer is asked to take a model back and cannot see why."""
    prs = of_models(world.finops("prs", "--json").items)
    (number,) = [one["number"] for (kind, _), one in prs.items() if kind == "model_rollback"]
    (shown,) = world.finops("pr", "show", str(number), "--json").items
    body = shown["body"]
    for words in ("female", "2.0.3", "It would be wrong if", "a person merges it"):
        assert words in body
    assert "XXX" not in body.partition("<!--")[0]  # what people read of it
