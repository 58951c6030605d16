"""Memory: how much of this machine's a model may still take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from ollapy.daemon.runners import cgroups

_MAX_RESERVE = 1024 * 1024 * 1024
# A limit, and what is used of it: of control groups' version 2, and 1. Beyond `high` a group is slowed down to a crawl.
_LIMITS = (
    ("memory.max", "memory.current"),
    ("memory.high", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes of the machine, or of a control group, and how many of them can still be had without swapping."""

    total: int
    left: int

    @property
    def spare(self) -> int:
        """What is left for models, so that the rest goes on without swapping."""
        return self.left - min(self.total // 32, _MAX_RESERVE)

    @classmethod
    def of_group(cls, limit: Path, used: Path) -> Self | None:
        """By a group's files; None where there is no limit. What files fill can be had again."""
        text = limit.read_text().strip()
        if text == "max":
            return None
        total = int(text)
        held = _held_by_files(used.with_name("memory.stat"))
        return cls(total, total - int(used.read_text()) + held)


def available() -> int:
    """Bytes that can be had without swapping, within what the control groups of this process allow."""
    return min(share.left for share in _shares())


def total() -> int:
    """Bytes of the machine, as far as the control groups of this process allow."""
    return min(share.total for share in _shares())


def spare() -> int:
    """Bytes that models may still take."""
    return min(share.spare for share in _shares())


def in_groups(own: Path = cgroups.OWN, root: Path = cgroups.ROOT) -> Iterator[Share]:
    """Of each group with a limit that this process is in."""
    for limit, used in _LIMITS:
        for file in cgroups.files(limit, "memory", own, root):
            if share := Share.of_group(file, file.with_name(used)):
                yield share


def _shares() -> Iterator[Share]:
    machine = psutil.virtual_memory()
    yield Share(machine.total, machine.available)
    yield from in_groups()


def _held_by_files(stat: Path) -> int:
    """Version 1 counts a group's own pages, and as `total_` those of the groups in it too."""
    fields = dict(line.split() for line in stat.read_text().splitlines())
    names = ("inactive_file", "active_file")
    return sum(int(fields.get(f"total_{n}", fields.get(n, 0))) for n in names)
