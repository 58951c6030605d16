"""The clients of npm, `ollama` and `openai`."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Drive


@pytest.mark.slow
@pytest.mark.parametrize("package", ["ollama", "openai"])
def test_node(drive_node: Drive, package: str) -> None:
    assert drive_node(f"with_{package}.mjs") == {
        "whole": "The capital of Japan is Tokyo.",
        "streamed": "The capital of Japan is Tokyo.",
        "tools": [["get_time", {"city": "Oslo"}]],
        "vectors": [256, 256],
        "listed": True,
    }
