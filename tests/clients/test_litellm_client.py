"""LiteLLM, by Ollama's API, OpenAI's and Anthropic's."""

from __future__ import annotations

from tests.clients.conftest import Drive


def test_litellm(drive: Drive) -> None:
    told = drive("with_litellm.py", needs="litellm")

    assert told.pop("vectors") == [256, 256]
    assert set(told) == {"ollama_chat", "openai", "anthropic"}
    for way, answers in told.items():
        assert answers == {
            "whole": "The capital of Japan is Tokyo.",
            "streamed": "The capital of Japan is Tokyo.",
            "usage": True,
            "tools": [["get_time", {"city": "Oslo"}]],
        }, way
