"""Control groups of a test's own, with a limit that the kernel keeps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ollapy.daemon.runners import cgroups
from tests.support.waiting import eventually

_NAME = f"ollapy-test-{os.getpid()}"


@contextmanager
def limited(num_bytes: int) -> Iterator[Path]:
    """A group whose processes have so much memory; a process is put in it by its `cgroup.procs`."""
    older = cgroups.ROOT / "memory"
    group = (older if older.is_dir() else cgroups.ROOT) / _NAME
    limit = "memory.limit_in_bytes" if older.is_dir() else "memory.max"
    try:
        group.mkdir()
    except OSError as exc:
        pytest.skip(f"needs a control group of its own: {exc}")
    try:
        if not (group / limit).exists():
            pytest.skip("control groups have no limit of memory here")
        (group / limit).write_text(str(num_bytes))
        yield group
    finally:
        eventually(lambda: not (group / "cgroup.procs").read_text(), "it is not empty")
        group.rmdir()
