"""Memory: how much of this machine's a model may still take."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import psutil

from ollapy.daemon.runners import cgroups

_MAX_RESERVE = 1024 * 1024 * 1024


def available() -> int:
    """Bytes that can be had without swapping, within what the control groups of this process allow."""
    files = cgroups.files("memory.max")
    return int(min(psutil.virtual_memory().available, free_in_groups(files)))


def spare() -> int:
    """Bytes that models may still take, so that the rest of the machine goes on without swapping."""
    reserve = min(int(psutil.virtual_memory().total) // 32, _MAX_RESERVE)
    return available() - reserve


def free_in_groups(limits: Iterable[Path]) -> float:
    """The least that is left in one of the groups, by their `memory.max`; what files fill can be had again."""
    return min(map(_free, limits), default=math.inf)


def _free(file: Path) -> float:
    limit = file.read_text().strip()
    if limit == "max":
        return math.inf
    used = int(file.with_name("memory.current").read_text())
    return int(limit) - used + _held_by_files(file.with_name("memory.stat"))


def _held_by_files(stat: Path) -> int:
    fields = dict(line.split() for line in stat.read_text().splitlines())
    return sum(int(fields.get(name, 0)) for name in ("inactive_file", "active_file"))
