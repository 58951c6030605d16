"""Pydantic AI, by OpenAI's API."""

from __future__ import annotations

from tests.clients.conftest import Drive


def test_pydantic_ai(drive: Drive) -> None:
    told = drive("with_pydantic_ai.py", needs="pydantic_ai")

    assert told["whole"] == told["streamed"] == "The capital of Japan is Tokyo."
    assert told["typed"] in {"Lima", "Tokyo"}
    assert "Oslo" in told["asked"]
    assert told["told"]
