"""Commands that are run hundreds of times: their modules are imported once, each run is a fork.

A fork ends as any process does and shares nothing with the next, but for what is settled at start,
such as the seed of hashes: what must not depend on that is run as a process of its own.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class Forks:
    """A process that waits with a command's module imported, and forks for each run of it."""

    def __init__(self, module: str, *imported: str) -> None:
        """`imported`: what its `main` imports first of all."""
        self._server = subprocess.Popen(
            [sys.executable, __file__, module, *imported],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` would tell of the command, whose name comes first, in `folder`."""
        assert self._server.stdin is not None and self._server.stdout is not None
        with tempfile.TemporaryDirectory() as said:
            files = [Path(said, name) for name in ("out", "err")]
            asked = [list(arguments), str(folder), dict(environment), [str(one) for one in files]]
            print(json.dumps(asked), file=self._server.stdin, flush=True)
            code = int(self._server.stdout.readline())
            out, err = (one.read_text(encoding="utf-8") for one in files)
        return subprocess.CompletedProcess(list(arguments), code, out, err)


@functools.cache
def forks(module: str, *imported: str) -> Forks:
    """The one that all tests of this process share."""
    return Forks(module, *imported)


def _serve(module: str, *imported: str) -> None:
    command = importlib.import_module(module)
    for one in imported:
        importlib.import_module(one)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            arguments, folder, environment, files = json.loads(line)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for descriptor, file in enumerate(files, 1):
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv[:] = arguments
            code = _code_of(command.main)
            sys.stdout.flush()
            sys.stderr.flush()
            # libraries wait at exit for threads of theirs, and those are not in a fork
            os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _code_of(main: Callable[[], object]) -> int:
    """What a process that calls `main` ends with."""
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001 as an interpreter does with what nobody caught
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    # the folder of this file is no place to import from
    del sys.path[0]
    _serve(*sys.argv[1:])
