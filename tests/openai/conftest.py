"""OpenAI's own client, pointed at the daemon."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.support.daemon import Daemon


@pytest.fixture
def client(daemon: Daemon) -> Iterator[openai.OpenAI]:
    """A client that does not try again."""
    with openai.OpenAI(
        base_url=f"http://{daemon.address}/v1", api_key="none", max_retries=0
    ) as client:
        yield client
