"""Memory of a process and all its children, from /proc: shared memory counted once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 2**20


def tree(pid: int) -> list[int]:
    """Give a process and all below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def resident_mib(pid: int) -> float:
    """Give the proportional set size of a process and all below it: a page that n share counts 1/n each."""
    return sum(_rollup_kib(each) for each in tree(pid)) / 1024


def _rollup_kib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


class Peak:
    """The most that was seen, in MiB."""

    def __init__(self) -> None:
        self.mib = 0.0


@contextmanager
def peak_of(pid: int, every_s: float = 0.5) -> Iterator[Peak]:
    """Watch the memory of a process and all below it."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while True:
            peak.mib = max(peak.mib, resident_mib(pid))
            if done.wait(every_s):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
