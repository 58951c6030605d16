"""Cores: how many of this machine's a runner may keep busy."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
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
    quota = cpu_quota(cgroups.files("cpu.max"))
    return max(math.ceil(min(physical, allowed, quota)), 1)


def cpu_quota(limits: Iterable[Path]) -> float:
    """The cores' worth of time that groups allow by their `cpu.max`, the least of all."""
    return min(map(_quota, limits), default=math.inf)


def _quota(file: Path) -> float:
    """A `cpu.max`: microseconds, or "max", in each period of so many microseconds."""
    limit, period = file.read_text().split()
    return math.inf if limit == "max" else int(limit) / int(period)
