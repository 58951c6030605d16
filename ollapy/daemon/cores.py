"""Cores: how many of this machine's a runner may keep busy."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def num_cores() -> int:
    """Physical cores that this process may use, one at least.

    A core's second thread would only wait for its arithmetic. A container's quota counts as well:
    threads beyond it are all stopped together until the next period.
    """
    physical = psutil.cpu_count(logical=False) or 1
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else physical
    return max(math.ceil(min(physical, allowed, cpu_quota())), 1)


def cpu_quota(own: Path = _OWN_CGROUP, root: Path = _CGROUPS) -> float:
    """The cores' worth of time that the control groups (version 2) of this process allow, the least of all."""
    if not own.exists():
        return math.inf
    lines = own.read_text().splitlines()
    paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    folders = [folder for path in paths for folder in _upwards(root, root / path)]
    return min((_quota(folder / "cpu.max") for folder in folders), default=math.inf)


def _upwards(root: Path, folder: Path) -> list[Path]:
    return [f for f in (folder, *folder.parents) if f.is_relative_to(root)]


def _quota(file: Path) -> float:
    """A `cpu.max`: microseconds, or "max", in each period of so many microseconds."""
    if not file.exists():
        return math.inf
    limit, period = file.read_text().split()
    return math.inf if limit == "max" else int(limit) / int(period)
