"""GPU models by the names that clusters and bills give them, and the parts that they can be cut in.

Which workload fits a part is decided elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MIB_PER_GB = 1000**3 / 1024**2
"""Names say GB and mostly mean GiB; a part shows a few percent less than its share of the whole
(1g.10gb of 80 has 9,728 MiB, not 10,240), so the smaller reading is the careful one."""
_SAME_MEMORY = 0.1
"""What is measured may differ from the name by so much: by that reading, and by what is kept."""


@dataclass(frozen=True)
class Part:
    """A MIG profile: its name, and what it takes of the slices of compute and of memory."""

    name: str
    compute: int
    memory: int


@dataclass(frozen=True)
class GpuType:
    """A model with its memory (GB), its slices, and its MIG profiles, smallest first."""

    name: str
    memory_gb: int
    compute_slices: int = 0
    memory_slices: int = 0
    parts: tuple[Part, ...] = ()
    tflops: float = 0.0
    """Dense FP16 on tensor cores where it has any."""
    gigabytes_per_second: float = 0.0
    """Of its memory."""
    capability: float = 0.0
    """CUDA compute capability: BF16 takes 8.0, FP8 takes 8.9."""

    @property
    def memory_mib(self) -> float:
        """Memory in MiB, as its name says it."""
        return self.memory_gb * MIB_PER_GB


def _sevenths(
    name: str, memory: int, gigabytes: tuple[int, int, int], speed: tuple[float, float, float]
) -> GpuType:
    """One of the large ones: seven slices of compute, eight of memory."""
    one, two, four = gigabytes
    parts = (
        Part(f"1g.{one}gb", 1, 1),
        Part(f"1g.{two}gb", 1, 2),
        Part(f"2g.{two}gb", 2, 2),
        Part(f"3g.{four}gb", 3, 4),
        Part(f"4g.{four}gb", 4, 4),
    )
    return GpuType(name, memory, 7, 8, parts, *speed)


_A30 = (Part("1g.6gb", 1, 1), Part("2g.12gb", 2, 2))

TYPES = (
    _sevenths("A100 40GB", 40, (5, 10, 20), (312, 1555, 8.0)),
    _sevenths("A100 80GB", 80, (10, 20, 40), (312, 2039, 8.0)),
    _sevenths("H100 80GB", 80, (10, 20, 40), (989, 3350, 9.0)),
    _sevenths("H200 141GB", 141, (18, 35, 71), (989, 4800, 9.0)),
    GpuType("A30 24GB", 24, 4, 4, _A30, 165, 933, 8.0),
    GpuType("A10 24GB", 24, 0, 0, (), 125, 600, 8.6),
    GpuType("L4 24GB", 24, 0, 0, (), 121, 300, 8.9),
    GpuType("L40S 48GB", 48, 0, 0, (), 362, 864, 8.9),
    GpuType("T4 16GB", 16, 0, 0, (), 65, 320, 7.5),
    GpuType("V100 16GB", 16, 0, 0, (), 125, 900, 7.0),
    GpuType("V100 32GB", 32, 0, 0, (), 125, 900, 7.0),
    GpuType("P100 16GB", 16, 0, 0, (), 18.7, 732, 6.0),
    GpuType("P4 8GB", 8, 0, 0, (), 5.5, 192, 6.1),
)
"""Profiles and fractions: NVIDIA, Multi-Instance GPU User Guide, Supported MIG Profiles
(https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html). Those with
media extensions and those of a whole GPU are left out. A type without parts cannot be cut. Speeds:
NVIDIA's data sheets, of the SXM boards where there are two, and P4's FP32, which has no tensor
cores; capabilities: https://developer.nvidia.com/cuda-gpus."""

_NAME = re.compile(r"(?<![a-z0-9])(h200|h100|a100|a30|a10g?|l40s|l4|t4|v100|p100|p4)(?![a-z0-9])")
_SIZE = re.compile(r"(?<![0-9])([0-9]{1,3}) ?gb")
_ONLY = {"nvidia-tesla-a100": "A100 40GB"}
"""https://cloud.google.com/compute/docs/gpus: that with 80 GB is nvidia-a100-80gb."""


def model_word(text: str) -> str:
    """The model that a text names, such as `a100`; empty where it names none or several."""
    words = {word.replace("a10g", "a10") for word in _NAME.findall(text.lower())}
    return words.pop() if len(words) == 1 else ""


def gpu_type(text: str, memory_mib: float | None = None) -> GpuType | None:
    """The type that a label's value or an accelerator's name means, None where it is not certain.

    `memory_mib` of one GPU, as measured, tells which of a model's sizes it is, and must fit.
    """
    named = _ONLY.get(text.strip().lower())
    word = model_word(text)
    size = _SIZE.search(text.lower())
    found = [
        one
        for one in TYPES
        if (one.name == named if named else one.name.lower().split()[0] == word)
        and (size is None or one.memory_gb == int(size[1]))
        and (memory_mib is None or abs(memory_mib / one.memory_mib - 1) <= _SAME_MEMORY)
    ]
    return found[0] if len(found) == 1 else None
