"""Types of machines: what their names say, how much they carry, and which may take whose place.

Prices and use are not known here. Names: AWS, "Instance type naming conventions"; Microsoft,
"Virtual machine sizes naming conventions"; Google, "Machine families resource and comparison
guide".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

ARM, X86 = "arm64", "x86_64"

LIMIT_COLUMNS = ("pattern", "network_gbps_per_gib", "disk_mib_per_second_per_gib")
"""Of the seed `machine_limits`: what a type carries steadily, for each GiB of its memory."""

_AWS = re.compile(
    r"(?P<shape>[a-z]+?)(?P<generation>[0-9]+)(?P<letters>[a-z]*)(?P<flex>-flex)?\."
    r"(?P<size>[0-9]*x?large|medium|small|micro|nano)"
)
_AZURE = re.compile(
    r"Standard_(?P<shape>[A-Z]{1,2})(?P<size>[0-9]+(?:-[0-9]+)?)(?P<letters>[a-z]*)"
    r"(?P<accelerator>_[A-Z][A-Z0-9]+)?_v(?P<generation>[0-9]+)"
)
_GCP = re.compile(
    r"(?P<series>[a-z])(?P<generation>[0-9])(?P<letters>[a-z]?)-"
    r"(?P<shape>standard|highmem|highcpu)-(?P<size>[0-9]+)(?P<disk>-lssd)?"
)

_AWS_BURST = {2: 4, 3: 5, 4: 6}
"""Generation of a T family -> that of the M, C and R ones with the same processors."""
_BASELINES = {
    "nano": 0.05, "micro": 0.10, "small": 0.20, "medium": 0.20, "large": 0.30, "xlarge": 0.40,
    "2xlarge": 0.40,
}  # fmt: skip
"""Share of each vCPU that a T3, T3a or T4g may use for ever: Amazon EC2 user guide, "Key concepts
for burstable performance instances". Of other families that burst none is known here."""

_CONNECTION_BYTES = 12_582_880
"""Of an RDS class's memory for each connection by default: MySQL's, the larger of the two (the one
of PostgreSQL is 9,531,392). Amazon RDS user guide, "Quotas and constraints"."""


@dataclass(frozen=True)
class Lineage:
    """What a type's name says of it."""

    provider: str
    """aws, azure or gcp."""
    shape: str
    """How much memory for a vCPU: m, c, r, t; D, E, F; standard, highmem, highcpu."""
    series: str
    """Google's letter; empty elsewhere."""
    generation: int
    maker: str
    """arm, amd or other: whose processors."""
    extras: str
    """Everything else that its letters promise, such as local disks; sorted."""
    size: str

    @property
    def architecture(self) -> str:
        """arm64 or x86_64."""
        return ARM if self.maker == "arm" else X86

    @property
    def burstable(self) -> bool:
        """Whether it may use its vCPUs only for a while."""
        return self.provider == "aws" and self.shape == "t"

    @property
    def era(self) -> int:
        """Generation of the provider's processors in it."""
        return _AWS_BURST.get(self.generation, 0) if self.burstable else self.generation


@dataclass(frozen=True)
class MachineType:
    """A type and how much it carries; None where that is not known."""

    name: str
    lineage: Lineage | None
    vcpus: float
    memory_gib: float
    network_gbps: float | None = None
    disk_mib_per_second: float | None = None

    @property
    def baseline(self) -> float | None:
        """Share of its vCPUs that it may use for ever; None where that is not known."""
        if self.lineage is None or not self.lineage.burstable:
            return 1.0
        return _BASELINES.get(self.lineage.size) if self.lineage.generation >= 3 else None

    def connections(self, database: bool) -> float | None:
        """Connections that a database on it takes by default; None where that is not known."""
        if not database or self.lineage is None or self.lineage.provider != "aws":
            return None
        return self.memory_gib * 1024**3 / _CONNECTION_BYTES


def lineage(name: str) -> Lineage | None:
    """What a type's name says; None where it follows no rule known, as of bare metal.

    A database's `db.` is no part of it.
    """
    name = name.removeprefix("db.")
    if match := _AWS.fullmatch(name):
        letters = set(match["letters"])
        maker = "arm" if "g" in letters else "amd" if "a" in letters else "other"
        extras = letters - set("gai") | ({"flex"} if match["flex"] else set())
        shape, series = match["shape"], ""
        provider = "aws"
        if shape == "a":
            maker, extras = "arm", extras | {"a1"}
    elif match := _AZURE.fullmatch(name):
        letters = set(match["letters"])
        maker = "arm" if "p" in letters else "amd" if "a" in letters else "other"
        extras = letters - set("pa") | {match["accelerator"] or ""} - {""}
        if int(match["generation"]) <= 3:
            extras = extras | {"d"}  # up to version 3 every size has a temporary disk
        if "-" in match["size"]:
            extras = extras | {"constrained"}
        shape, series, provider = match["shape"], "", "azure"
    elif match := _GCP.fullmatch(name):
        letters = set(match["letters"])
        maker = "arm" if "a" in letters else "amd" if "d" in letters else "other"
        extras = letters - set("ad") | ({"lssd"} if match["disk"] else set())
        shape, series, provider = match["shape"], match["series"], "gcp"
    else:
        return None
    return Lineage(
        provider=provider,
        shape=shape,
        series=series,
        generation=int(match["generation"]),
        maker=maker,
        extras=",".join(sorted(extras)),
        size=match["size"],
    )


def sized_like(one: Lineage, other: Lineage) -> bool:
    """Whether a machine may change between two types for its size alone.

    The same processors, and the same promises beside size; of AWS's general, compute, memory and
    burstable families any, since only their memory, limits and baselines differ.
    """
    same = (one.provider, one.maker, one.era, one.extras, one.series) == (
        (other.provider, other.maker, other.era, other.extras, other.series)
    )
    shapes = {"m", "c", "r", "t"} if one.provider == "aws" else _SHAPES.get(one.provider, set())
    return same and (one.shape == other.shape or {one.shape, other.shape} <= shapes)


_SHAPES = {"azure": {"D", "E", "F"}, "gcp": {"standard", "highmem", "highcpu"}}


def newer(one: Lineage, other: Lineage) -> bool:
    """Whether `other` is a later generation of the very line of `one`."""
    lines = [(x.provider, x.maker, x.shape, x.series, x.extras) for x in (one, other)]
    return lines[0] == lines[1] and other.generation > one.generation


def in_arm(one: Lineage, other: Lineage) -> bool:
    """Whether `other` is what an x86 type would be on arm64, in no older a generation."""
    if one.architecture == ARM or other.architecture != ARM or one.provider != other.provider:
        return False
    if one.provider == "gcp":
        return one.shape == other.shape and not one.extras and not other.extras
    kept = (one.shape, one.extras) == (other.shape, other.extras)
    return kept and (one.burstable or other.generation >= one.generation)


class Catalogue:
    """Types by name, with what the catalogue of limits says that they carry."""

    def __init__(self, types: pd.DataFrame, limits: pd.DataFrame) -> None:
        """`types`: instance_type, vcpus, memory_gib and where given network_gbps and
        disk_mib_per_second; rows without vCPUs or memory are left out. `limits`: LIMIT_COLUMNS,
        with patterns of SQL's LIKE (`@` before a `_` that means itself); the longest that fits
        holds.
        """
        rows = limits[list(LIMIT_COLUMNS)].itertuples(index=False, name=None)
        self._limits = sorted(
            ((_like(str(p)), len(str(p)), _known(n), _known(d)) for p, n, d in rows),
            key=lambda one: -one[1],
        )
        self._types: dict[str, MachineType] = {}
        wanted = ["instance_type", "vcpus", "memory_gib", "network_gbps", "disk_mib_per_second"]
        for name, vcpus, memory, network, disk in types.reindex(columns=wanted).itertuples(
            index=False, name=None
        ):
            cores, gib = _known(vcpus), _known(memory)
            if isinstance(name, str) and cores and gib:
                self._types[name] = self._type(name, cores, gib, _known(network), _known(disk))

    def get(self, name: str) -> MachineType | None:
        """The type, or None where its vCPUs or memory are not known."""
        return self._types.get(name)

    def among(self, names: Iterable[str]) -> list[MachineType]:
        """Those of `names` that are known, in order of name."""
        return [self._types[name] for name in sorted(set(names)) if name in self._types]

    def _type(
        self, name: str, vcpus: float, gib: float, network: float | None, disk: float | None
    ) -> MachineType:
        for pattern, _, network_per_gib, disk_per_gib in self._limits:
            if pattern.fullmatch(name):
                if network is None and network_per_gib:
                    network = network_per_gib * gib
                if disk is None and disk_per_gib:
                    disk = disk_per_gib * gib
                break
        return MachineType(name, lineage(name), vcpus, gib, network, disk)


def caveats(one: Lineage, other: Lineage) -> list[str]:
    """What may stop a machine from running on a newer type of its own line.

    AWS: "Change the instance type", compatibility; Microsoft: "Azure VM sizes with no local
    temporary disk" and "NVMe overview"; Google: "General-purpose machine family", N4.
    """
    found: list[str] = []
    if one.provider == "aws" and one.era <= 4 < other.era:
        found.append("its image has no ENA and NVMe drivers, which Nitro types need")
    if one.provider == "azure" and one.generation < 6 <= other.generation:
        found.append("its image is of generation 1 or has no NVMe driver")
    if one.provider == "gcp" and one.generation < 4 <= other.generation:
        found.append("its disks are persistent disks: the fourth generation takes Hyperdisk alone")
    return found


def _like(pattern: str) -> re.Pattern[str]:
    """SQL's LIKE with `@` as its escape."""
    wild: Mapping[str, str] = {"%": ".*", "_": "."}
    parts = re.findall(r"@.|[^@]", pattern)
    return re.compile("".join(re.escape(p[1:]) if p[0] == "@" else wild.get(p, re.escape(p))
                              for p in parts))  # fmt: skip


def _known(value: object) -> float | None:
    """A positive, finite amount, or None."""
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = float(value)  # type: ignore[arg-type] # what it is told by failing
    except (TypeError, ValueError):
        return None
    return amount if math.isfinite(amount) and amount > 0 else None
