"""The machine that was measured: without it the figures mean nothing."""

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import msgspec

MIB = 2**20
_FSYNCS = 100


class Machine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """fsync_ms: the median of 4 KiB appended and fsynced, on the disk that the homes are on."""

    cores: int
    memory_mib: int
    kernel: str
    python: str
    cpu: str
    load_before: float
    fsync_ms: float
    versions: dict[str, str]


def this_machine(folder: Path) -> Machine:
    """Look at the machine and the disk of a folder."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB,
        kernel=platform.release(),
        python=platform.python_version(),
        cpu=_cpu(),
        load_before=round(os.getloadavg()[0], 2),
        fsync_ms=round(_fsync_s(folder) * 1000, 2),
        versions={name: version(name) for name in ("tallystick", "chdb", "granian", "litestar", "psycopg")},
    )


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _fsync_s(folder: Path) -> float:
    took = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_FSYNCS):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took)
