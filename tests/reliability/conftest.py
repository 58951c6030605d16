"""One crash host for all, and the count of what was tried."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.crash_host import Host, crash_host


@dataclass
class Tally:
    """Faults of how many kinds of trouble with how many operations, and what the second tries fetched."""

    loops: int = 0
    faults: int = 0
    num_bytes: int = 0


_TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    with crash_host() as host:
        yield host


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: flushes cost nothing, and what they are good for test_order.py shows."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash.setdefault(_TALLY, Tally())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how much the crash loops have tried."""
    if tally := config.stash.get(_TALLY, None):
        terminalreporter.write_line(
            f"crash loops: {tally.faults} faults in {tally.loops} loops, after which "
            f"{tally.num_bytes} bytes were fetched, all of them missing"
        )
