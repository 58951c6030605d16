"""Anthropic's own client, pointed at the daemon."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from tests.support.daemon import Daemon


@pytest.fixture
def client(daemon: Daemon) -> Iterator[anthropic.Anthropic]:
    """A client that does not try again."""
    with anthropic.Anthropic(
        base_url=f"http://{daemon.address}", api_key="none", max_retries=0
    ) as client:
        yield client
