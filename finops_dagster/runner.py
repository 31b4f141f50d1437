"""Runs the jobs in order in this process and tells what came of each stage.

What the jobs do lives in defs; how the outcome is printed in cli.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from finops_dagster.domain.errors import Fault, FinopsError, Unavailable
from finops_dagster.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from finops_dagster.defs.estate import Estate
    from finops_dagster.defs.progress import Progress

STAGES = ("landing", "warehouse", "publication", "insight", "decision", "gitops")
_SHIPPED_CONFIG = Path(__file__).parent / "defs" / "dagster.yaml"
_PROCESS = "finops/process"
"""Tag of a run in this process: host/pid, to tell a killed run from one that goes on."""
_SEE_LOG = "The run's log and the UI say more."
_NO_REASON = "failed without a reason."


@dataclass
class Stage:
    """What one stage took and moved."""

    stage: str
    seconds: float = 0.0
    rows_in: int = 0
    rows_out: int = 0
    rows_quarantined: int = 0
    peak_rss_bytes: int = 0
    status: str = "done"


@dataclass
class Outcome:
    """What a whole run came to."""

    as_of: date
    run_id: str
    stages: list[Stage]
    exit_code: int = 0
    stopped: str = ""
    """One paragraph: which gate stopped the line, why, and what to do."""
    faults: list[Fault] = field(default_factory=list)
    seconds: float = 0.0
    log: Path | None = None


def prepare_home(home: Path) -> Path:
    """Make a Dagster home with the shipped dagster.yaml, unless it has one of its own."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(_SHIPPED_CONFIG, home / "dagster.yaml")
    return home


@contextlib.contextmanager
def _quiet(log: Path) -> Iterator[TextIO]:
    """Send what tools print to `log`; yields the terminal for progress lines."""
    log.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    saved = os.dup(1), os.dup(2)
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield terminal
        finally:
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            for descriptor in saved:
                os.close(descriptor)
            terminal.close()


def run(
    settings: Settings,
    *,
    jobs: Sequence[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> Outcome:
    """Run every job for the decided day, or `jobs` of them; stops at the first red one.

    `say` gets a progress line per step; without it they go to stderr. Nothing is raised for a
    stopped line or a source that is down: the outcome says so.
    """
    import dagster as dg

    from finops_dagster.definitions import build_defs
    from finops_dagster.defs.estate import Estate
    from finops_dagster.defs.event_log import keep_open
    from finops_dagster.defs.jobs import ORDER, asks_for
    from finops_dagster.defs.progress import LOGGER, Progress

    started = time.monotonic()
    estate = Estate(settings)
    if (start := _oldest_bill(estate)) < settings.start:
        # a first look may be at a bill of years ago: history starts with it
        settings = settings.model_copy(update={"start": start})
        estate = Estate(settings)
    as_of = settings.decided_day()
    home = prepare_home(estate.layout.dagster_home)
    log = estate.layout.root / "logs" / f"{as_of.isoformat()}.log"
    stages = {name: Stage(name, status="skipped") for name in STAGES}
    outcome = Outcome(as_of=as_of, run_id="", stages=list(stages.values()), log=log)
    with _quiet(log) as terminal:
        progress = Progress(say or (lambda text: print(text, file=terminal)))
        definitions = build_defs(settings, loggers={LOGGER: progress.logger()})
        with dg.DagsterInstance.from_config(str(home)) as instance:
            keep_open(instance)
            _bury(instance)
            for name in jobs or ORDER:
                progress.say(name)
                try:
                    asks = asks_for(estate, name)
                except FinopsError as error:  # a source that cannot be asked what it has
                    outcome.exit_code = error.exit_code
                    outcome.stopped = _told(error)
                    outcome.faults += _faults(error)
                    break
                raised: list[BaseException] = []
                job = definitions.resolve_job_def(name).with_hooks({_keep_error(raised)})
                for ask in asks:
                    result = job.execute_in_process(
                        instance=instance,
                        raise_on_error=False,
                        tags={**ask.tags, _PROCESS: _process(os.getpid())},
                        asset_selection=ask.assets,
                        run_config={"loggers": {LOGGER: {}}},
                    )
                    outcome.run_id = result.run_id
                    _add(stages, progress, result)
                    if not result.success:
                        _explain(outcome, result, raised, estate.layout.quarantine)
                        break
                if outcome.exit_code:
                    break
    outcome.seconds = time.monotonic() - started
    return outcome


def _oldest_bill(estate: Estate) -> date:
    """Month of the oldest bill that is known; the start of history where none is."""
    from finops_dagster.defs import line

    start = estate.settings.start
    try:
        bills = line.expected(estate, line.BILLING, estate.cutoff(estate.settings.decided_day()))
    except Unavailable:
        return start  # told when its job asks
    return min((one.partition for one in bills), default=start)


def _process(pid: int) -> str:
    return f"{socket.gethostname()}/{pid}"


def _bury(instance: dg.DagsterInstance) -> None:
    """Mark runs as failed whose process was killed: nobody else will, and they look alive."""
    import dagster as dg

    left = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    for run in instance.get_runs(left):
        host, _, pid = run.tags.get(_PROCESS, "").rpartition("/")
        if host == socket.gethostname() and not _alive(int(pid)):
            instance.report_run_failed(run, "Its process ended before it did; a later run goes on.")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # signal 0 is not sent: it only asks
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _add(
    stages: dict[str, Stage],
    progress: Progress,
    result: dg.ExecuteInProcessResult,
) -> None:
    """Add the steps of one job to the stages they belong to."""
    for cost in progress.take():
        stage = stages[_stage_of(cost.step)]
        stage.seconds += cost.seconds
        stage.peak_rss_bytes = max(stage.peak_rss_bytes, cost.peak_rss_bytes)
        if stage.status != "failed":
            stage.status = cost.status
    seen: set[str] = set()
    for event in result.all_events:
        if event.event_type_value != "ASSET_MATERIALIZATION":
            continue
        materialization = event.step_materialization_data.materialization
        place = stages.get(materialization.asset_key.path[0])
        figures = {
            name: value.value
            for name, value in materialization.metadata.items()
            if name in ("dagster/row_count", "rows_in", "rows_quarantined")
        }
        # A run over several partitions repeats its figures on each of them.
        key = materialization.asset_key.to_user_string()
        if place is None or key in seen:
            continue
        seen.add(key)
        rows_out = _whole(figures.get("dagster/row_count"))
        place.rows_out += rows_out
        place.rows_in += _whole(figures.get("rows_in", rows_out))
        place.rows_quarantined += _whole(figures.get("rows_quarantined"))


def _whole(value: Any) -> int:
    return int(value) if value is not None else 0


def _stage_of(step: str) -> str:
    head = step.split("__", 1)[0]
    return head if head in STAGES else "warehouse"


def _faults(error: BaseException) -> Sequence[Fault]:
    """What an error says is wrong; of one without faults, its own words."""
    if isinstance(error, FinopsError) and error.faults:
        return error.faults
    code = _code(type(error).__name__)
    return (Fault(code=code, expected=str(error).strip(), hint=_SEE_LOG),)


def _told(error: BaseException) -> str:
    """An error and its faults in one paragraph, each thing once."""
    text = str(error).strip()
    faults = error.faults if isinstance(error, FinopsError) else ()
    return " ".join([text, *(str(fault) for fault in faults if fault.hint not in text)])


def _code(class_name: str) -> str:
    """`SettingsError` as scripts match it: settings_error."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in class_name).strip("_")


def _keep_error(raised: list[BaseException]) -> dg.HookDefinition:
    """A hook that keeps what a step raised: its event in the log has the message alone."""
    import dagster as dg

    @dg.failure_hook(name="keep_error")
    def keep_error(context: dg.HookContext) -> None:
        error = context.op_exception
        while not isinstance(error, FinopsError | None) and error.__cause__ is not None:
            error = error.__cause__  # Dagster's own errors wrap what a step raised
        if error is not None:
            raised.append(error)

    return keep_error


def _explain(
    outcome: Outcome,
    result: dg.ExecuteInProcessResult,
    raised: Sequence[BaseException],
    quarantine: Path,
) -> None:
    """Say in one paragraph why the line stopped: the checks that failed, else the error."""
    from finops_dagster.defs.metadata import faults_of

    # a run over several partitions tells the same of each of them
    failed = {
        (check.asset_key, check.check_name): check
        for check in result.get_asset_check_evaluations()
        if not check.passed and check.severity.value == "ERROR"
    }.values()
    if failed:
        outcome.exit_code = 1
        told = []
        for check in failed:
            name = f"{check.asset_key.to_user_string()} {check.check_name}"
            summary = check.metadata.get("summary")
            text = str(summary.value) if summary is not None else _NO_REASON
            told.append(f"{name}: {text}")
            outcome.faults += faults_of(check.metadata) or [
                Fault(code=check.check_name, expected=text, hint=_SEE_LOG)
            ]
        aside = (
            f" What was set aside is in {quarantine}, each row with its reasons."
            if any(check.asset_key.path[0] == "landing" for check in failed)
            else ""
        )
        outcome.stopped = (
            f"Stopped by {len(failed)} check{'s' if len(failed) > 1 else ''}; the last "
            f"publication stays in force. {' '.join(told)}{aside}"
        )
        return
    outcome.exit_code = 4
    outcome.stopped = f"{result.job_def.name} failed before any step could say why: {outcome.log}."
    for event in result.all_events:
        if event.event_type_value == "STEP_FAILURE" and raised:
            error = raised[-1]
            outcome.exit_code = error.exit_code if isinstance(error, FinopsError) else 4
            step = str(event.step_key).replace("__", "/")
            outcome.stopped = f"{step} failed. {_told(error)} The log is {outcome.log}."
            outcome.faults += _faults(error)
            return
