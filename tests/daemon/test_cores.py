"""A container's share of the machine decides about threads, wherever in the tree of groups it is set."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ollapy.daemon.runners.cores import cpu_quota, num_cores


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """What the kernel says of a process that is in a group of each version."""
    file = tmp_path / "own"
    file.write_text("12:cpu,cpuacct:/c/d\n3:memory:/\n0::/a/b\n")
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/cpu/c/d").mkdir(parents=True)
    return file


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ({}, math.inf),
        ({"": "max 100000", "a/b": "max 100000"}, math.inf),
        ({"a/b": "150000 100000"}, 1.5),
        ({"a": "200000 100000", "a/b": "400000 100000"}, 2.0),
        ({"elsewhere": "10000 100000"}, math.inf),
    ],
)
def test_the_least_quota_on_the_way_up_counts(
    own: Path, quotas: dict[str, str], expected: float
) -> None:
    root = own.with_name("root")
    for folder, text in quotas.items():
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "cpu.max").write_text(f"{text}\n")

    assert cpu_quota(own, root) == expected


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ({"": -1, "c/d": -1}, math.inf),
        ({"": -1, "c": 300000, "c/d": 50000}, 0.5),
        ({"a/b": 50000}, math.inf),
    ],
)
def test_so_do_those_of_the_older_version(
    own: Path, quotas: dict[str, int], expected: float
) -> None:
    root = own.with_name("root")
    for folder, quota in quotas.items():
        (root / "cpu" / folder).mkdir(parents=True, exist_ok=True)
        (root / "cpu" / folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        (root / "cpu" / folder / "cpu.cfs_period_us").write_text("100000\n")

    assert cpu_quota(own, root) == expected


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "none", tmp_path) == math.inf


def test_there_is_always_one_core() -> None:
    assert num_cores() >= 1
