"""LangChain, by Ollama's API and by OpenAI's."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Drive

USAGE = ("input_tokens", "output_tokens", "total_tokens")


@pytest.mark.parametrize("package", ["langchain_ollama", "langchain_openai"])
def test_langchain(drive: Drive, package: str) -> None:
    told = drive(f"with_{package}.py", needs=package)

    assert told["whole"] == told["streamed"] == "The capital of Japan is Tokyo."
    assert told["parts"] > 3
    assert told["tools"] == [["get_time", {"city": "Oslo"}]]
    assert told["vectors"] == [256, 256]
    # It sums the counts of all parts: only the last may have them.
    counted = [told["usage"][name] for name in USAGE]
    assert counted == [told["summed_usage"][name] for name in USAGE]
    assert all(counted)
