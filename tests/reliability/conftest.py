"""One crash host for all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.crash_host import Host, crash_host


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    with crash_host() as host:
        yield host
