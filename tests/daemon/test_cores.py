"""A container's share of the machine decides about threads, wherever in the tree of groups it is set."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ollapy.daemon.runners import cgroups
from ollapy.daemon.runners.cores import cpu_quota, num_cores


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
    tmp_path: Path, quotas: dict[str, str], expected: float
) -> None:
    own, root = tmp_path / "own", tmp_path / "cgroup"
    own.write_text("12:cpu:/old/style\n0::/a/b\n")
    (root / "a/b").mkdir(parents=True)
    for folder, text in quotas.items():
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "cpu.max").write_text(f"{text}\n")

    assert cpu_quota(cgroups.files("cpu.max", own, root)) == expected


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    files = cgroups.files("cpu.max", tmp_path / "none", tmp_path)
    assert cpu_quota(files) == math.inf


def test_there_is_always_one_core() -> None:
    assert num_cores() >= 1
