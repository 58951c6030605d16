"""Streams that wait for their first token show that they live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.support.daemon import Daemon, running_daemon

HI: Any = [{"role": "user", "content": "What is the capital of Japan?"}]
LONG: Any = [{"role": "user", "content": "word " * 5000}]
CHAT = {"model": "tiny", "messages": HI, "stream": True, "max_tokens": 99}
TOKYO = "The capital of Japan is Tokyo."


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with no model loaded, whose streams are seldom silent for long."""
    with running_daemon(tmp_path, HEARTBEAT="10ms") as daemon:
        yield daemon


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/v1/chat/completions", "data: [DONE]\n\n"),
        ("/v1/messages", 'data: {"type":"message_stop"}\n\n'),
    ],
)
def test_a_stream_beats_while_its_model_is_loaded(
    own: Daemon, path: str, last: str
) -> None:
    with own.http.stream("POST", path, json=CHAT) as response:
        text = response.read().decode()

    before, _, rest = text.partition("data: ")
    assert before.count(": still at it\n\n") > 3
    assert rest.endswith(last)
    assert all(
        block.startswith(("data: ", "event: ", ": still at it"))
        for block in text[:-2].split("\n\n")
    )


def test_clients_skip_the_beats_and_hear_what_went_wrong_after_them(
    own: Daemon,
) -> None:
    url = f"http://{own.address}"
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="tiny", messages=LONG, stream=True
        )
        with pytest.raises(openai.APIError, match="maximum context length"):
            next(stream)
        own.post("/api/generate", model="tiny", keep_alive=0)
        chunks = client.chat.completions.create(
            model="tiny", messages=HI, stream=True, temperature=0
        )
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    own.post("/api/generate", model="tiny", keep_alive=0)
    with (
        anthropic.Anthropic(base_url=url, api_key="x") as other,
        other.messages.stream(
            model="tiny",
            max_tokens=99,
            messages=HI,
            extra_body={"options": {"temperature": 0}},
        ) as events,
    ):
        assert said == "".join(events.text_stream) == TOKYO


def test_ollamas_streams_do_not_beat_and_wait_for_a_status(own: Daemon) -> None:
    refused = own.post("/api/chat", model="tiny", messages=LONG, truncate=False)
    own.post("/api/generate", model="tiny", keep_alive=0)
    with own.stream("/api/chat", model="tiny", messages=HI) as records:
        assert list(records)[-1]["done"]

    assert refused.status_code == 400
