"""Domains, groups of teams, tighten the global limits and never loosen them. Written by hand is one
domain; whatever else its owners could write is drawn at random over every limit there is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Decision, Rung, Verdict
from finops_dagster.domain.errors import SettingsError
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.documents import read_documents
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.policy.testing import check_domains, lint_bundle

POLICIES = Path(__file__).parents[3] / "policies"
BUNDLE = RegoBundle.load(POLICIES)
TEAM = "checkout"
EXAMPLES = 10
"""Of each topic; each is held against all samples of the topic."""
SEVERITY = [Decision.ALLOW, Decision.NEEDS_APPROVAL, Decision.DENY]
TOPICS: dict[str, Any] = {
    topic: block for topic, block in BUNDLE.data["limits"].items() if "directions" in block
}


def _document(content: Any) -> dict[str, Any]:
    """A sample as a document about something of the team's."""
    if not isinstance(content, dict) or "context" not in content:
        mine = content if isinstance(content, dict) else {}
        meta = mine.get("metadata") or {}
        content = {
            "environment": "",
            "resource": {
                "kind": mine.get("kind", "Fragment"),
                "labels": meta.get("labels") or {},
                "annotations": meta.get("annotations") or {},
                "manifest": mine,
            },
            "context": {},
        }
    told = content | {"context": content["context"] | {"team": TEAM}}
    return dict(json.loads(json.dumps(told, default=str)))


def _samples() -> dict[str, list[dict[str, Any]]]:
    """Topic -> the samples of the rules that read its limits: they lie on both sides of them."""
    found: dict[str, list[dict[str, Any]]] = {topic: [] for topic in TOPICS}
    for source in BUNDLE.policies:
        for topic in set(re.findall(r'limits\.of\("(\w+)"\)', source.text)):
            for file in sorted((POLICIES / source.name).parent.glob("samples/*/*.yaml")):
                found[topic] += [_document(read.content) for read in read_documents(file)]
    return found


SAMPLES = _samples()
JUDGE = RegorusJudge(BUNDLE)
WITHOUT = {
    topic: [JUDGE.judge_document(one, "s") for one in documents]
    for topic, documents in SAMPLES.items()
}

JUNK = st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.integers(), max_size=1)
WORDS = st.sampled_from(
    ["production", "staging", "checkout", "team", "owner", "label", "tier", "high", "colour"]
)
ENTRIES = {
    "windows": st.just(
        {"name": "w", "open": [{"days": ["sunday"], "from": "01:00", "until": "02:00"}]}
    ),
    "freezes": st.just({"first": "2026-01-01", "last": "2026-12-31", "reason": "r"}),
    "required": st.fixed_dictionaries(
        {
            "name": st.just("asked"),
            "decision": st.sampled_from(["allow", "needs_approval"]),
            "people": st.just(1),
            "approvers": st.just(["@acme/x"]),
        },
        optional={"min_risk": st.floats(0, 1), "environments": st.lists(WORDS, max_size=2)},
    ),
}


def _leaf(direction: str, key: str, base: Any) -> st.SearchStrategy[Any]:
    """What somebody who means it might write for one limit: stricter, milder or the same."""
    if direction == "severity":
        return st.sampled_from(["allow", "needs_approval", "deny"])
    if direction == "rung":
        return st.sampled_from([rung.value for rung in Rung])
    if isinstance(base, bool):
        return st.booleans()
    if isinstance(base, int | float):
        return st.floats(0, 3 * base + 1, allow_nan=False)
    if isinstance(base, list):
        known = st.sampled_from(base) if base else st.nothing()
        return st.lists(known | ENTRIES.get(key, WORDS), max_size=4)
    return JUNK


@st.composite
def claims(draw: st.DrawFn, topic: str) -> dict[str, Any]:
    """A few limits of a topic, with or without a direction, there or not."""
    defaults, directions = TOPICS[topic]["defaults"], TOPICS[topic]["directions"]
    if draw(st.integers(0, 7)) == 0:
        wild = st.sampled_from([*defaults, "unheard_of"])
        return {topic: draw(st.dictionaries(wild, JUNK, min_size=1, max_size=2))}
    block: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(sorted(directions)), min_size=1, unique=True)):
        base, direction = defaults[key], directions[key]
        if isinstance(base, Mapping):
            new = ["new"] if direction in {"may_grow", "severity", "rung"} else []
            names = draw(st.lists(st.sampled_from([*base, *new]), min_size=1, unique=True))
            example = next(iter(base.values()), [])
            block[key] = {
                name: draw(_leaf(direction, key, base.get(name, example))) for name in names
            }
        else:
            block[key] = draw(_leaf(direction, key, base))
    return {topic: block}


@st.composite
def domains(draw: st.DrawFn, topic: str) -> dict[str, Any]:
    """One or two domains that the team is in, with claims in one place or several."""
    places = {
        "limits": claims(topic),
        "environments": st.fixed_dictionaries(
            {"production": claims(topic), "staging": claims(topic)}
        ),
        "of_team": st.fixed_dictionaries({TEAM: claims(topic)}),
    }
    return {
        name: {"teams": [TEAM]}
        | {
            place: draw(places[place])
            for place in draw(st.lists(st.sampled_from(sorted(places)), min_size=1, unique=True))
        }
        for name in draw(st.sampled_from([("shops",), ("shops", "payments")]))
    }


def with_domains(written: Mapping[str, Any]) -> RegoBundle:
    return BUNDLE.with_data({**BUNDLE.data, "domains": dict(written)})


def is_milder(one: Verdict, than: Verdict) -> bool:
    """In decision, in rung, or in who is asked."""
    if one.decision is Decision.DENY:
        return one.rung is not Rung.OBSERVE
    return (
        SEVERITY.index(one.decision) < SEVERITY.index(than.decision)
        or one.rung.height > than.rung.height
        or not set(one.approvers) >= set(than.approvers)
    )


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_no_domain_makes_any_verdict_milder(topic: str) -> None:
    """Harm: a team lifts its own ceiling, drops its own approvers or merges by itself."""
    assert SAMPLES[topic]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(written=domains(topic))
    def holds(written: dict[str, Any]) -> None:
        bundle = with_domains(written)
        judge, engine = RegorusJudge(bundle), bundle.engine()
        for document, without in zip(SAMPLES[topic], WITHOUT[topic], strict=True):
            verdict = judge.judge_document(document, "s")
            assert not is_milder(verdict, without), (verdict, without, document)
            refused = engine.evaluate("data.finops.lib.limits.refused", document)
            if any(refused.values()):
                assert verdict.decision is Decision.DENY

    holds()


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_limit_either_has_a_direction_or_is_fixed(topic: str) -> None:
    """Harm: a direction is spelled so that no domain can use it, or is of a limit that is gone."""
    block = TOPICS[topic]
    known = {"at_most", "at_least", "may_grow", "may_shrink", "severity", "rung"}
    assert set(block["directions"].values()) <= known
    assert set(block["directions"]) <= set(block["defaults"])


@pytest.mark.parametrize(
    ("topic", "key", "document", "claimed", "expected"),
    [
        ("blast_radius", "max_cut_share", "change/blast_radius/samples/allowed/half.yaml", 0.4,
         Decision.NEEDS_APPROVAL),
        ("headroom", "cpu_min_share", "sizing/headroom/samples/allowed/half_again.yaml", 0.9,
         Decision.DENY),
        ("spend", "team_month", "spend/ceiling/samples/allowed/below.yaml", {"USD": 1000},
         Decision.DENY),
    ],
)  # fmt: skip
def test_a_domain_tightens(
    topic: str, key: str, document: str, claimed: Any, expected: Decision
) -> None:
    """Harm: a domain asks for more care and nothing comes of it: the property would hold too."""
    (sample,) = read_documents(POLICIES / document)
    tight = {"shops": {"teams": [TEAM], "limits": {topic: {key: claimed}}}}
    assert JUDGE.judge_document(sample.content, "s").decision is Decision.ALLOW
    judged = RegorusJudge(with_domains(tight)).judge_document(sample.content, "s")
    assert judged.decision is expected
    others = {"shops": {"teams": ["search"], "limits": {topic: {key: claimed}}}}
    elsewhere = RegorusJudge(with_domains(others)).judge_document(sample.content, "s")
    assert elsewhere.decision is Decision.ALLOW


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def write_domain(folder: Path, text: str) -> RegoBundle:
    file = folder / "domains" / "shops" / "data.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return RegoBundle.load(folder)


def test_a_file_of_its_own_per_domain(folder: Path) -> None:
    """Harm: a domain's owners edit a file that CODEOWNERS gives to somebody else."""
    bundle = write_domain(
        folder,
        "teams: [checkout]\n"
        "environments:\n"
        "  staging:\n"
        "    windows:\n"
        '      freezes: [{first: "2026-01-01", last: "2026-12-31", reason: sale}]\n',
    )
    assert bundle.id != BUNDLE.id
    (sample,) = read_documents(POLICIES / "change/windows/samples/allowed/in_office_hours.yaml")
    verdict = RegorusJudge(bundle).judge_document(sample.content, "s")
    assert (verdict.decision, verdict.rung) == (Decision.ALLOW, Rung.ADVISE)
    assert verdict.rung_reason == "2026-03-03 is in the freeze sale"


def test_lint_names_what_a_domain_may_not_claim(folder: Path) -> None:
    """Harm: a domain's mistake is found when its first change is denied, not when it is written."""
    bundle = write_domain(folder, "teams: [checkout]\nlimits: {headroom: {cpu_figures: []}}\n")
    told = "domain shops, limits: headroom.cpu_figures is not for a domain to change"
    assert told in check_domains(bundle)
    assert told in lint_bundle(bundle)


def test_a_date_that_is_not_text_is_refused(folder: Path) -> None:
    """Harm: YAML makes a date of it, and the freeze is compared with nothing."""
    with pytest.raises(SettingsError, match="not plain data"):
        write_domain(folder, "teams: [checkout]\nlimits: {windows: {freezes: [2026-01-01]}}\n")
