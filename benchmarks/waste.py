"""Findings of many companies as the demo's, held against what is secretly true of each, by kind.

Engines only, on frames of what was measured, billed and declared. A finding or proposal is right
where the truth has the same kind of the same resource; only what one edit of a declared value does
is proposed, so that recall of proposals is told of those kinds alone. `harmed` counts resources
whose truth is that they are right as they are, and of which something was found; `short` those cut
below what they need.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
from frames import Company
from loop import WASTE

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.domain.decisions import Finding, Proposal
from finops_dagster.domain.quantities import parse_quantity

_NOT_EDITS = {"off_hours", "scheduled_scaling", "undeclared_workload", "unused_volume"}
_PROPOSED = WASTE - _NOT_EDITS | {"right"}
_CUTS = ("rightsize_cpu", "rightsize_memory")
_BOOKED_DAYS = 70


def judged(
    found: Sequence[Finding | Proposal], truth: list[dict[str, Any]]
) -> dict[str, Counter[str]]:
    """Of one company, by kind: found, true and both; and what would do harm."""
    said = {(one.kind.value, one.resource) for one in found}
    true = {(one["kind"], one["resource"]) for one in truth if one["kind"] in WASTE}
    counts = {
        "found": Counter(kind for kind, _ in said),
        "true": Counter(kind for kind, _ in true),
        "hit": Counter(kind for kind, _ in said & true),
    }
    fields = {(one["resource"], one["field"]): one for one in truth}
    harmed: Counter[str] = Counter()
    short: Counter[str] = Counter()
    for one in found:
        told = fields.get((one.resource, one.field))
        if told is None:
            continue
        harmed[one.kind.value] += told["kind"] == "right"
        need = told["expected"].get("peak_need")
        if one.kind.value in _CUTS and need is not None:
            short[one.kind.value] += float(parse_quantity(one.proposed)) < need
    return {**counts, "harmed": harmed, "short": short}


def score(counts: dict[str, Counter[str]]) -> dict[str, Any]:
    """Precision and recall in all and by kind."""

    def share(part: int, whole: int) -> float | None:
        return round(part / whole, 4) if whole else None

    kinds = sorted(counts["found"] | counts["true"])
    both, found, true = (sum(counts[name].values()) for name in ("hit", "found", "true"))
    return {
        "precision": share(both, found),
        "recall": share(both, true),
        "harmed": sum(counts["harmed"].values()),
        "short": sum(counts["short"].values()),
        "by_kind": {
            kind: {
                **{name: counts[name][kind] for name in ("found", "true", "hit")},
                "precision": share(counts["hit"][kind], counts["found"][kind]),
                "recall": share(counts["hit"][kind], counts["true"][kind]),
            }
            for kind in kinds
        },
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(301, 321)))
    parser.add_argument("--misses", action="store_true", help="tell each that was not right")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    total: dict[str, Counter[str]] = {}
    proposed: dict[str, Counter[str]] = {}
    for seed in arguments.seeds:
        print(f"waste  seed {seed}", file=sys.stderr)
        company = Company(seed, _BOOKED_DAYS)
        result, proposals = company.decided(AS_OF)
        _add(total, judged(result.findings, company.truth))
        _add(proposed, judged(proposals, [t for t in company.truth if t["kind"] in _PROPOSED]))
        if arguments.misses:
            _tell(result.findings, company.truth, [a.model_dump() for a in result.abstained])
    answer = {
        "benchmark": "waste",
        "machine": platform.platform(),
        "inputs": {"seeds": arguments.seeds},
        "seconds": round(time.perf_counter() - began, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {**score(total), "proposals": score(proposed)},
        "baselines": {},
        "floor": {},
        "ratio_to_floor": None,
    }
    if arguments.json:
        print(json.dumps(answer))
        return
    for what, counts in (("findings", total), ("proposals", proposed)):
        told = score(counts)
        print(f"\n{what}\n{pd.DataFrame(told.pop('by_kind')).T.to_string()}\n{told}")


def _add(total: dict[str, Counter[str]], counts: dict[str, Counter[str]]) -> None:
    for name, one in counts.items():
        total.setdefault(name, Counter()).update(one)


def _tell(
    found: list[Finding], truth: list[dict[str, Any]], abstained: list[dict[str, Any]]
) -> None:
    said = {(one.kind.value, one.resource): one.reason for one in found}
    true = {(one["kind"], one["resource"]): one for one in truth if one["kind"] in WASTE}
    for key in sorted(said.keys() - true.keys()):
        print("false", *key, said[key], file=sys.stderr)
    for key in sorted(true.keys() - said.keys()):
        why = [one["reason"] for one in abstained if one["subject"].startswith(key[1])]
        print("missed", *key, true[key]["expected"], why, file=sys.stderr)


if __name__ == "__main__":
    main()
