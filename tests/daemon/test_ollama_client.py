"""Ollama's own Python client against the daemon, every call it has that the daemon answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import ollama
import pytest

from tests.support.daemon import Daemon

CAPITAL = "What is the capital of Japan?"


@pytest.fixture
def client(daemon: Daemon) -> Iterator[ollama.Client]:
    client = ollama.Client(host=daemon.address)
    yield client
    client._client.close()


def test_generate(client: ollama.Client) -> None:
    whole = client.generate("tiny", CAPITAL, options={"temperature": 0})
    streamed = list(
        client.generate("tiny", CAPITAL, options={"temperature": 0}, stream=True)
    )

    assert (
        whole.response
        == "".join(part.response for part in streamed)
        == "The capital of Japan is Tokyo."
    )
    assert whole.thinking == "".join(part.thinking or "" for part in streamed)
    assert (whole.done_reason, streamed[-1].done) == ("stop", True)


def test_chat(client: ollama.Client) -> None:
    message = {"role": "user", "content": CAPITAL}
    whole = client.chat("tiny", [message], think=False, options={"temperature": 0})
    streamed = list(
        client.chat(
            "tiny", [message], think=False, options={"temperature": 0}, stream=True
        )
    )

    assert whole.message.content == "The capital of Japan is Tokyo."
    assert (
        "".join(part.message.content or "" for part in streamed)
        == whole.message.content
    )


def test_a_python_function_as_a_tool(client: ollama.Client) -> None:
    def get_time(city: str) -> str:
        """Get the local time of a city

        Args:
            city: The city
        """
        return f"noon in {city}"

    message = {"role": "user", "content": "What time is it in Oslo?"}
    answer = client.chat(
        "tiny", [message], tools=[get_time], think=False, options={"temperature": 0}
    )

    (call,) = answer.message.tool_calls or []
    assert (call.function.name, call.function.arguments) == (
        "get_time",
        {"city": "Oslo"},
    )


def test_embed(client: ollama.Client) -> None:
    answer = client.embed("tiny", ["one", "two"])

    assert [len(vector) for vector in answer.embeddings] == [256, 256]


def test_list_show_ps_copy_delete(client: ollama.Client) -> None:
    client.copy("tiny", "another")
    assert {m.model for m in client.list().models} >= {"tiny:latest", "another:latest"}
    assert client.show("another").details.family == "llama"
    client.generate("another", keep_alive="1m")
    assert {m.context_length for m in client.ps().models} == {4096}
    assert client.delete("another").status == "success"
    with pytest.raises(ollama.ResponseError, match="not found") as error:
        client.show("another")
    assert error.value.status_code == 404


def test_async(daemon: Daemon) -> None:
    async def ask() -> list[str]:
        client = ollama.AsyncClient(host=daemon.address)
        questions = [
            f"What is the capital of {country}?"
            for country in ("Japan", "Italy", "Peru")
        ]
        answers = await asyncio.gather(
            *(
                client.generate("tiny", q, think=False, options={"temperature": 0})
                for q in questions
            )
        )
        await client._client.aclose()
        return [answer.response for answer in answers]

    assert asyncio.run(ask()) == [
        f"The capital of {c}."
        for c in ("Japan is Tokyo", "Italy is Rome", "Peru is Lima")
    ]
