"""`finops ui`: the web server and the daemon of one estate, started and ended together.

What the web server shows beside Dagster's own pages lives in `webserver`.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import dagster as dg

from finops_dagster.defs.estate import PROJECT_ROOT
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.runner import prepare_home
from finops_dagster.settings import Settings, child_environment
from finops_dagster.storage.files import Layout

WORKSPACE = PROJECT_ROOT / "workspace.yaml"
_HOST = "127.0.0.1"
_GRACE_SECONDS = 30.0


def serve(settings: Settings, config: Path, port: int) -> int:
    """Run both until Ctrl-C or until one ends by itself; 4 in that case. Raises SettingsError."""
    _require_free(port)
    state = Layout(settings.state_dir.absolute())
    home = prepare_home(state.dagster_home)
    with dg.DagsterInstance.from_config(str(home)):
        # its tables are made by now: the processes below start side by side, and a new home whose
        # tables two of them made at the same time cannot be opened again
        pass
    environment = child_environment(
        secrets=True,
        DAGSTER_HOME=str(home),
        FINOPS_CONFIG=str(config.absolute()),
    )
    log = state.root / "logs" / "ui.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    here = Path(sys.executable)
    commands = {
        "daemon": [
            *(str(here.parent / "dagster-daemon"), "run", "--workspace", str(WORKSPACE)),
            *("--log-level", "warning", "--code-server-log-level", "warning"),
        ],
        "web server": [
            *(str(here), "-m", "finops_dagster.cli.webserver", "--workspace", str(WORKSPACE)),
            *("--state", str(state.root), "--host", _HOST, "--port", str(port)),
        ],
    }
    # a shell that starts us in the background has SIGINT ignored, and so would our children
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            # a group of their own: Ctrl-C reaches them through us, once
            with log.open("ab") as output:
                children[name] = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=PROJECT_ROOT,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        sys.stderr.write(f"Dagster UI on http://localhost:{port} (Ctrl-C ends it); log: {log}\n")
        while True:
            for name, child in children.items():
                if child.poll() is not None:
                    sys.stderr.write(f"The {name} ended by itself; {log} says why.\n")
                    return 4
            time.sleep(1)
    except KeyboardInterrupt:
        return 0
    finally:
        _end(list(children.values()))


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
    for child in children:
        try:
            child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} cannot be used: {error.strerror}.",
                (
                    Fault(
                        code="port_in_use",
                        column="--port",
                        expected=f"Expected a free port, found {port} in use.",
                        hint="End what listens there, or choose another with --port.",
                    ),
                ),
            ) from error
