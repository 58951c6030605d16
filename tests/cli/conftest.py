"""A daemon with models that say a known text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cast import add_cast
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless


@pytest.fixture(scope="session")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon with the cast, for tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("theatre")
    add_cast(folder / "models")
    with running_daemon(folder) as daemon:
        yield daemon


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with `endless` that one test may change and kill."""
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path) as daemon:
        yield daemon
