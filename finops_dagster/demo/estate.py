"""Creating the simulated estate and letting it live on: the order of the work and its stamp.

What is written is made by the other modules of this package.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from finops_dagster.domain.errors import Stopped

VERSION = 6
"""Of what is generated: a change of any byte must raise it, so that old estates are rebuilt."""
STATE = Path(".demo") / "state.json"
_OWNED = (
    "exports",
    "telemetry",
    "carbon",
    "predictions",
    "labels",
    "business",
    "runs",
    "model_versions",
    "token_usage",
    "gitops.git",
    "allocation.yaml",
    "finops.yaml",
    "truth.json",
    ".demo",
)
MIN_DAYS = 35
"""Shorter estates have no closed month and no history to judge by."""
MAX_DAYS = 760
"""The repository is not older."""
MAX_COPIES = 100

Progress = Callable[[str], None]


@dataclass(frozen=True)
class DemoSummary:
    """What an estate holds, counted. `created` is False where nothing had to be done."""

    path: Path
    seed: int
    first_day: date
    as_of: date
    workloads: int
    charges: int
    """Charges, each counted once however many snapshots repeat it."""
    charges_delivered: int
    measurements: int
    predictions: int
    created: bool
    changed: tuple[str, ...] = ()
    """Resources and AI models of which main was found changed when days were added."""


@dataclass(frozen=True)
class Exposed:
    """What an OpenMetrics file of an estate holds, counted."""

    path: Path
    first_day: date
    as_of: date
    pods: int
    """Pods, each counted once; how many there are at a time is fewer."""
    series: int
    samples: int
    bytes: int


def _quiet(message: str) -> None:
    del message


def create(out: Path, seed: int, days: int, *, progress: Progress | None = None) -> DemoSummary:
    """Write the estate of `seed` with `days` of history under `out`; once is enough.

    A complete estate of the same seed, days and generator version is left as it is, with all
    that was merged and lived since. Another one is replaced. Raises Stopped where `out` holds
    other files or `days` is out of bounds.
    """
    if not MIN_DAYS <= days <= MAX_DAYS:
        raise Stopped(f"days must be from {MIN_DAYS} to {MAX_DAYS}, not {days}.")
    say = progress or _quiet
    stamp = {"seed": seed, "days": days, "version": VERSION}
    state = _read_state(out)
    if state is not None and state["stamp"] == stamp and state["complete"]:
        return _summary(out, state, created=False)
    if state is None and out.exists() and any(out.iterdir()):
        raise Stopped(f"{out} holds files that are not a demo estate: choose an empty folder.")
    for name in _OWNED:
        target = out / name
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()
    # Marked first: an estate that was interrupted is recognised and built again.
    _write_state(out, {"stamp": stamp, "complete": False})

    # Numpy and Arrow are slow to import, and an estate that exists needs neither.
    from finops_dagster.demo import allocation_file, repository, settings_file
    from finops_dagster.demo import plan as plans
    from finops_dagster.demo.seasons import AS_OF

    plan = plans.build(seed)
    first = AS_OF - timedelta(days=days - 1)
    say("demo: repository")
    repository.write_repository(out / "gitops.git", plan)
    counts = _live(out, plan, {}, {}, {}, first, first, AS_OF, say)
    (out / "allocation.yaml").write_text(allocation_file.allocation_text(), encoding="utf-8")
    (out / "finops.yaml").write_text(
        settings_file.settings_text(seed, first, AS_OF), encoding="utf-8"
    )
    state = {
        "stamp": stamp,
        "complete": True,
        "first_day": first.isoformat(),
        "as_of": AS_OF.isoformat(),
        "workloads": len(plan.workloads),
        "counts": counts,
        "timeline": {},
        "claims": {},
        "models": {},
    }
    _write_state(out, state)
    return _summary(out, state, created=True)


def advance(out: Path, days: int, *, progress: Progress | None = None) -> DemoSummary:
    """Live `days` more days: from the first new day on, what main declares is what runs.

    Measurements, bills, carbon, predictions, labels and sales are added and as_of moves on; a pull
    request that was not merged changes nothing. Raises Stopped where `out` is no estate.
    """
    if not 1 <= days <= 400:
        raise Stopped(f"days must be from 1 to 400, not {days}.")
    state = _lived(out)
    say = progress or _quiet

    from finops_dagster.demo import history, reader, settings_file
    from finops_dagster.demo import plan as plans

    plan = plans.build(int(state["stamp"]["seed"]))
    first = date.fromisoformat(state["first_day"])
    start = date.fromisoformat(state["as_of"]) + timedelta(days=1)
    last = start + timedelta(days=days - 1)
    say("demo: reading main")
    declared = reader.read_main(out / "gitops.git", plan)
    timeline, claims = history.loaded(state)
    timeline, claims, changed = history.merged(plan, timeline, claims, declared, start)
    serving, models = history.merged_models(history.loaded_models(state), declared, start)
    counts = _live(out, plan, timeline, claims, serving, first, start, last, say)
    settings = out / "finops.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(settings_file.with_as_of(text, last), encoding="utf-8")
    before = state["counts"]
    state = state | {
        "as_of": last.isoformat(),
        "counts": {
            "charges": counts["charges"],
            **{
                key: before[key] + counts[key]
                for key in ("charges_delivered", "measurements", "predictions")
            },
        },
        **history.dumped(timeline, claims),
        **history.dumped_models(serving),
    }
    _write_state(out, state)
    return _summary(out, state, created=True, changed=(*changed, *models))


def expose(estate: Path, out: Path, days: int, copies: int, scrape_seconds: int) -> Exposed:
    """Write the last `days` of an estate as its exporters show them; how is in openmetrics.

    Raises Stopped where `estate` is none, or holds no measurements of five minutes for so long.
    """
    from finops_dagster.demo import history, openmetrics
    from finops_dagster.demo import plan as plans
    from finops_dagster.demo.seasons import AS_OF, FINE_DAYS, FINE_MINUTES

    state = _lived(estate)
    last = date.fromisoformat(state["as_of"])
    oldest = max(date.fromisoformat(state["first_day"]), AS_OF - timedelta(days=FINE_DAYS - 1))
    most = (last - oldest).days + 1
    if not 1 <= days <= most:
        raise Stopped(
            f"days must be from 1 to {most}, not {days}: before {oldest} measurements are hourly."
        )
    if not 1 <= copies <= MAX_COPIES:
        raise Stopped(f"copies must be from 1 to {MAX_COPIES}, not {copies}.")
    if scrape_seconds < 1 or FINE_MINUTES * 60 % scrape_seconds:
        raise Stopped(f"scrape-seconds must divide {FINE_MINUTES * 60}, not be {scrape_seconds}.")
    first = last - timedelta(days=days - 1)
    plan = plans.build(int(state["stamp"]["seed"]))
    lived = openmetrics.enlarged(plan, *history.loaded(state), copies)
    written = openmetrics.write_openmetrics(out, *lived, first, last, scrape_seconds)
    return Exposed(
        out, first, last, written.pods, written.series, written.samples, out.stat().st_size
    )


def _lived(out: Path) -> dict[str, Any]:
    """The state of an estate that this version made. Raises Stopped."""
    state = _read_state(out)
    if state is None or not state["complete"]:
        raise Stopped(f"{out} is not a demo estate: create one first.")
    if state["stamp"]["version"] != VERSION:
        raise Stopped(f"{out} was made by another version of the demo: create it again.")
    return state


def _live(
    out: Path,
    plan: Any,
    timeline: Any,
    claims: Any,
    serving: Any,
    first: date,
    start: date,
    last: date,
    say: Progress,
) -> dict[str, int]:
    """Write everything of the days from `start` to `last` of an estate that began at `first`."""
    from finops_dagster.demo import (
        billing,
        business,
        carbon,
        consumption,
        exports,
        predictions,
        runs,
        telemetry,
        tokens,
        truth,
    )
    from finops_dagster.demo.seasons import AS_OF, FINE_DAYS, FINE_MINUTES, HOUR_MINUTES

    hidden = consumption.events(plan.seed)
    say("demo: measurements")
    fine = AS_OF - timedelta(days=FINE_DAYS - 1)
    points = telemetry.write_telemetry(
        out, plan, timeline, claims, start, min(last, fine - timedelta(days=1)), HOUR_MINUTES
    )
    points += telemetry.write_telemetry(
        out, plan, timeline, claims, max(start, fine), last, FINE_MINUTES
    )
    say("demo: carbon and predictions")
    carbon.write_carbon(out, plan.seed, start, last)
    oldest = max(first, AS_OF - timedelta(days=predictions.KEPT_DAYS - 1))
    recent = max(start, oldest)
    predicted = predictions.write_predictions(out, plan.seed, recent, last, oldest, serving)
    business.write_business(out, plan, start, last)
    say("demo: runs and tokens")
    runs.write_runs(out, plan, timeline, recent, last)
    tokens.write_token_usage(out, plan, timeline, hidden, recent, last)
    say("demo: bills")
    books = billing.build(plan, timeline, claims, hidden, first, last)
    charges, delivered = exports.write_exports(out, books, first, last, since=start)
    say("demo: truth")
    items = truth.build_truth(plan, timeline, claims, serving, hidden, first, last)
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
    (out / "truth.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return {
        "charges": charges,
        "charges_delivered": delivered,
        "measurements": points,
        "predictions": predicted,
    }


def _read_state(out: Path) -> dict[str, Any] | None:
    path = out / STATE
    if not path.exists():
        return None
    state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return state


def _write_state(out: Path, state: dict[str, Any]) -> None:
    path = out / STATE
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(state, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)


def _summary(
    out: Path, state: dict[str, Any], *, created: bool, changed: tuple[str, ...] = ()
) -> DemoSummary:
    return DemoSummary(
        path=out,
        seed=int(state["stamp"]["seed"]),
        first_day=date.fromisoformat(state["first_day"]),
        as_of=date.fromisoformat(state["as_of"]),
        workloads=int(state["workloads"]),
        created=created,
        changed=changed,
        **{key: int(value) for key, value in state["counts"].items()},
    )
