"""LlamaIndex, by Ollama's API."""

from __future__ import annotations

from tests.clients.conftest import Drive


def test_llama_index(drive: Drive) -> None:
    told = drive("with_llama_index.py", needs="llama_index.llms.ollama")

    answers = [told[way] for way in ("completed", "whole", "streamed", "roomy")]
    assert answers == ["The capital of Japan is Tokyo."] * 4
    assert told["parts"] > 3
