"""Cores: how many of this machine's a runner may keep busy."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import psutil

from ollapy.daemon.runners import cgroups


def num_cores() -> int:
    """Physical cores that this process may use, one at least.

    A core's second thread would only wait for its arithmetic. A container's quota counts as well:
    threads beyond it are all stopped together until the next period.
    """
    physical = psutil.cpu_count(logical=False) or 1
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else physical
    return max(math.ceil(min(physical, allowed, cpu_quota())), 1)


def cpu_quota(own: Path = cgroups.OWN, root: Path = cgroups.ROOT) -> float:
    """The cores' worth of time that the control groups of this process allow, the least of all."""
    newer = cgroups.files("cpu.max", "cpu", own, root)
    older = cgroups.files("cpu.cfs_quota_us", "cpu", own, root)
    return min(
        (*map(_quota, newer), *map(_older_quota, older)),
        default=math.inf,
    )


def _quota(file: Path) -> float:
    """A `cpu.max`: microseconds, or "max", in each period of so many microseconds."""
    limit, period = file.read_text().split()
    return math.inf if limit == "max" else int(limit) / int(period)


def _older_quota(file: Path) -> float:
    """A `cpu.cfs_quota_us`: microseconds, negative for any number, in each period of another file."""
    limit = int(file.read_text())
    period = int(file.with_name("cpu.cfs_period_us").read_text())
    return math.inf if limit < 0 else limit / period
