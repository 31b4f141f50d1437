"""Ways to break an estate: damaged deliveries, and runs that are killed at a chosen point.

The product has no hook for any of this: files are changed on disk, and a run that is to die is
started by a few lines that make one of its functions kill the process.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.e2e.estate import Answer, process

FILE = "part-0.parquet"
NOTE = "_delivery.json"
_AGAIN = "-again"

_DYING = """
import importlib, os, signal, sys
module, name, ending, at = sys.argv[1:5]
sys.argv[:] = ["finops", *sys.argv[5:]]
owner = importlib.import_module(module)
*path, last = name.split(".")
for part in path:
    owner = getattr(owner, part)
original, calls = getattr(owner, last), 0

def dying(*args, **kwargs):
    global calls
    if not ending or any(str(one).endswith(ending) for one in args):
        calls += 1
        if calls == int(at):
            os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)

setattr(owner, last, dying)
"""
_COMMAND = """
from finops_dagster.cli import main
main()
"""


@dataclass(frozen=True)
class Kill:
    """Before the `at`th call of a function, of those with an argument that ends with `ending`."""

    module: str
    name: str
    at: int = 1
    ending: str = ""


def killed(folder: Path, kill: Kill, *arguments: str, script: str = _COMMAND) -> Answer:
    """Run `finops`, or another script, in a folder until it is killed."""
    told = [kill.module, kill.name, kill.ending, str(kill.at), *arguments]
    return process([sys.executable, "-c", _DYING + script, *told], folder)


def newest_bill(estate: Path, source: str = "aws") -> Path:
    """Folder of the delivery of a bill that is known last."""
    return max(max((estate / "exports" / source).iterdir()).iterdir())


def deliver(estate: Path, damage: Callable[[Path], None] | None = None) -> Path:
    """A later delivery of the newest bill, in which one charge costs 1 more; returns its folder.

    With `damage` it arrives damaged; delivered again without, it is whole.
    """
    last = newest_bill(estate)
    if last.name.endswith(_AGAIN):
        shutil.rmtree(last)
        last = newest_bill(estate)
    folder = last.with_name(last.name + _AGAIN)
    shutil.copytree(last, folder)
    costs = column(folder, "BilledCost")
    costs[0] += 1
    replace(folder, "BilledCost", costs)
    (total,) = note(folder)["control_totals"]
    total["billed_cost"] = str(Decimal(total["billed_cost"]) + 1)
    write_note(folder, known_at="2026-10-23T04:00:00Z", control_totals=[total])
    if damage is not None:
        damage(folder)
    return folder


def column(folder: Path, name: str) -> list[Any]:
    """Values of a column of a delivery."""
    values: list[Any] = pq.ParquetFile(folder / FILE).read().column(name).to_pylist()
    return values


def replace(folder: Path, name: str, values: list[Any]) -> None:
    """Replace a column of a delivery, as its sender would: its note tells of the new bytes."""
    table = pq.ParquetFile(folder / FILE).read()
    place = table.schema.get_field_index(name)
    field = table.schema.field(name)
    if pa.types.is_decimal(field.type):
        step = Decimal(1).scaleb(-field.type.scale)
        values = [None if value is None else value.quantize(step) for value in values]
    pq.write_table(table.set_column(place, field, pa.array(values, field.type)), folder / FILE)
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    listed = {"path": FILE, "rows": table.num_rows, "sha256": digest}
    write_note(folder, files=[listed])


def note(folder: Path) -> dict[str, Any]:
    """What the sender says of a delivery."""
    told: dict[str, Any] = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    return told


def write_note(folder: Path, **changes: Any) -> None:
    """Change what the sender says."""
    (folder / NOTE).write_text(json.dumps({**note(folder), **changes}), encoding="utf-8")


def cut_in_the_middle(folder: Path) -> None:
    """The upload broke off, and nobody has told how long it was to be."""
    data = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(data[: len(data) // 2])
    write_note(folder, files=[{"path": FILE}])


def list_twice(folder: Path) -> None:
    """The note names the same file two times."""
    write_note(folder, files=note(folder)["files"] * 2)


def lose_a_currency(folder: Path) -> None:
    """One charge that costs something does not say in which currency."""
    currencies = column(folder, "BillingCurrency")
    currencies[costly(folder)] = None
    replace(folder, "BillingCurrency", currencies)


def costly(folder: Path) -> int:
    """The first row that costs something, from 0."""
    return next(number for number, cost in enumerate(column(folder, "BilledCost")) if cost)


def lose_nine_tenths(folder: Path) -> None:
    """Every charge has a tenth of its cost; the invoice still says what is owed."""
    for name in ("BilledCost", "EffectiveCost"):
        costs = column(folder, name)
        replace(folder, name, [cost / 10 if cost is not None else None for cost in costs])
