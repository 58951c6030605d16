"""Anthropic's messages by its own client, and byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.support.daemon import Daemon, running_daemon
from tests.support.events import events
from tests.support.models import add_endless
from tests.support.tools import FUNCTION
from tests.support.waiting import eventually

CAPITAL = "What is the capital of Japan?"
TOKYO = "The capital of Japan is Tokyo."
GREEDY = {"options": {"temperature": 0}}
PLAIN: dict[str, Any] = {"model": "tiny", "max_tokens": 60}
THINKING: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
WEATHER: dict[str, Any] = {
    "name": FUNCTION["name"],
    "description": FUNCTION["description"],
    "input_schema": FUNCTION["parameters"],
    "cache_control": {"type": "ephemeral"},
}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def ask(client: anthropic.Anthropic, *messages: dict[str, Any], **more: Any) -> Any:
    given: Any = list(messages) or [user(CAPITAL)]
    return client.messages.create(
        messages=given, extra_body=GREEDY, **{**PLAIN, **more}
    )


def test_whole(client: anthropic.Anthropic) -> None:
    answer = ask(client)

    (block,) = answer.content
    assert (block.type, block.text) == ("text", TOKYO)
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert (answer.role, answer.model, answer.type) == ("assistant", "tiny", "message")
    assert answer.usage.output_tokens == 8


def test_streamed(client: anthropic.Anthropic, daemon: Daemon) -> None:
    messages: Any = [user("What is the capital of Peru?")]
    whole = ask(client, *messages)
    with client.messages.stream(
        messages=messages, extra_body=GREEDY, **PLAIN
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == whole.content[0].text
    assert final.content[0].text == text
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.cache_read_input_tokens > 0
    for usage in (final.usage, whole.usage):
        total = usage.input_tokens + usage.cache_read_input_tokens
        assert (
            total
            == client.messages.count_tokens(
                model="tiny", messages=messages
            ).input_tokens
        )


def test_thinking_where_it_is_asked_for(client: anthropic.Anthropic) -> None:
    answer = ask(client, **THINKING)
    thought, said = answer.content
    again = ask(
        client,
        user(CAPITAL),
        {"role": "assistant", "content": [b.model_dump() for b in answer.content]},
        user("What is the capital of Italy?"),
    )

    assert (thought.type, said.type) == ("thinking", "text")
    assert thought.thinking
    assert said.text == TOKYO
    assert again.content[0].text == "The capital of Italy is Rome."
    short = ask(client, thinking={"type": "enabled", "budget_tokens": 2})
    assert len(short.content[0].thinking) < len(thought.thinking)


@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_is_called_and_its_result_used(
    client: anthropic.Anthropic, stream: bool
) -> None:
    question: Any = user(
        [
            {
                "type": "text",
                "text": "What is the weather in Rome?",
                "cache_control": {"type": "ephemeral"},
            }
        ]
    )
    if stream:
        with client.messages.stream(
            messages=[question], tools=[WEATHER], extra_body=GREEDY, **PLAIN
        ) as events:  # type: ignore[list-item]
            answer: Any = events.get_final_message()
    else:
        answer = ask(client, question, tools=[WEATHER])

    (call,) = answer.content
    assert answer.stop_reason == "tool_use"
    assert (call.type, call.name, call.input) == (
        "tool_use",
        "get_weather",
        {"location": "Rome"},
    )
    result = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": [{"type": "text", "text": "sunny"}],
    }
    told = ask(
        client,
        question,
        {"role": "assistant", "content": [call.model_dump()]},
        user([result]),
        tools=[WEATHER],
    )
    assert told.content[0].text == "It is sunny in Rome."


@pytest.mark.parametrize(
    "choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}]
)
def test_a_tool_that_must_be_called(client: anthropic.Anthropic, choice: Any) -> None:
    answer = ask(client, tools=[WEATHER], tool_choice=choice)

    assert [block.name for block in answer.content] == ["get_weather"]
    assert answer.stop_reason == "tool_use"


def test_system_texts_stop_strings_and_lengths(client: anthropic.Anthropic) -> None:
    pirate = [
        {
            "type": "text",
            "text": "You are a pirate.",
            "cache_control": {"type": "ephemeral"},
        }
    ]
    said = ask(client, system=pirate).content[0].text
    stopped = ask(client, stop_sequences=["xyz", " is"])
    cut = ask(client, max_tokens=3)
    begun = ask(
        client, user(CAPITAL), {"role": "assistant", "content": "The capital of"}
    )

    assert said == ask(client, system="You are a pirate.").content[0].text
    assert said != TOKYO
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", " is")
    assert stopped.content[0].text == "The capital of Japan"
    assert (cut.stop_reason, cut.content[0].text) == ("max_tokens", "The capital of")
    assert begun.content[0].text == " Japan is Tokyo."


def test_a_thought_is_left_out_where_the_model_has_none(tmp_path: Path) -> None:
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path) as daemon:
        wanted = {"model": "endless", "max_tokens": 3, "messages": [user("go")]}
        answer = daemon.post("/v1/messages", **wanted, **THINKING)
        assert answer.status_code == 200, answer.text
        assert [block["type"] for block in answer.json()["content"]] == ["text"]
        assert "think ignored" in daemon.log.read_text()
        address = f"http://{daemon.address}"
        with anthropic.Anthropic(base_url=address, api_key="none") as client:
            endless: Any = {**wanted, "max_tokens": 10**6, "stream": True}
            stream: Any = client.messages.create(**endless)
            next(iter(stream))
            stream.close()
            eventually(
                lambda: (
                    daemon.http.get("/api/stats").json()["endless:latest"]["running"]
                    == 0
                ),
                "generation went on for nobody",
            )
            killed: Any = client.messages.create(**endless)
            next(iter(killed))
            for runner in daemon.runners:
                runner.kill()
            with pytest.raises(anthropic.APIStatusError, match="unexpectedly stopped"):
                list(killed)


def test_the_order_of_a_streams_events(daemon: Daemon) -> None:
    body = {**PLAIN, "messages": [user(CAPITAL)], **GREEDY, **THINKING}
    found = events(daemon, "/v1/messages", **body)
    names = [name for name, _ in found]
    data = [event for _, event in found]

    assert names == [event["type"] for event in data]
    assert names[:2] == ["message_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    start = data[0]["message"]
    assert (start["content"], start["stop_reason"], start["role"]) == (
        [],
        None,
        "assistant",
    )
    delta = data[-2]
    assert delta["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert delta["usage"] | {"output_tokens": 0} == start["usage"]
    blocks = [event for event in data if "index" in event]
    assert [e["index"] for e in blocks] == sorted(e["index"] for e in blocks)
    for index, kind in enumerate(("thinking", "text")):
        first, *deltas, last = [e for e in blocks if e["index"] == index]
        assert (first["type"], last["type"]) == (
            "content_block_start",
            "content_block_stop",
        )
        assert first["content_block"]["type"] == kind
        assert first["content_block"][kind] == ""
        assert {e["delta"]["type"] for e in deltas} == {f"{kind}_delta"}


def test_a_call_is_a_block_of_its_own(daemon: Daemon) -> None:
    body = {
        **PLAIN,
        "messages": [user("What is the weather in Rome?")],
        "tools": [WEATHER],
        **GREEDY,
    }
    data = [event for _, event in events(daemon, "/v1/messages", **body)]
    start, delta, stop = [event for event in data if "index" in event]

    assert start["content_block"] | {"id": ""} == {
        "type": "tool_use",
        "id": "",
        "name": "get_weather",
        "input": {},
    }
    assert delta["delta"] == {
        "type": "input_json_delta",
        "partial_json": '{"location":"Rome"}',
    }
    assert stop == {"type": "content_block_stop", "index": 0}
    assert data[-2]["delta"]["stop_reason"] == "tool_use"


def test_models(client: anthropic.Anthropic) -> None:
    (tiny,) = [m for m in client.models.list() if m.id == "tiny:latest"]

    assert (tiny.type, tiny.display_name) == ("model", "tiny:latest")
    assert client.models.retrieve("tiny:latest") == tiny


def test_counting_needs_no_room(client: anthropic.Anthropic) -> None:
    long: Any = [user("word " * 5000)]
    found = client.messages.count_tokens(model="tiny", messages=long)
    with pytest.raises(
        anthropic.BadRequestError,
        match=r"prompt is too long: [0-9]+ tokens > 4096 maximum",
    ):
        ask(client, *long)

    assert found.input_tokens > 5000
    with_tools = client.messages.count_tokens(
        model="tiny", messages=[user("x")], tools=[WEATHER]
    )  # type: ignore[list-item]
    without = client.messages.count_tokens(model="tiny", messages=[user("x")])  # type: ignore[list-item]
    assert with_tools.input_tokens > without.input_tokens


def test_what_a_coding_agent_sends(daemon: Daemon) -> None:
    """Everything at once that Claude Code's requests have, and a file that was read."""
    ephemeral = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    call = {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "Read",
        "input": {"file_path": "a.py"},
    }
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": "     1\tprint()",
        "is_error": False,
    }
    body = {
        "model": "tiny",
        "max_tokens": 32,
        "system": [
            {"type": "text", "text": "You are an agent.", **ephemeral},
            {"type": "text", "text": "Be brief."},
        ],
        "messages": [
            user(
                [
                    {"type": "text", "text": "<system-reminder>x</system-reminder>"},
                    {"type": "text", "text": "Read a.py", **ephemeral},
                ]
            ),
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I read it.", "signature": ""},
                    call,
                ],
            },
            user([result, {"type": "text", "text": "And now?", **ephemeral}]),
        ],
        "tools": [
            {
                "name": "Read",
                "description": "Reads a file",
                "input_schema": {
                    "$schema": "http://json-schema.org/draft-07/schema#",
                    "type": "object",
                    "properties": {"file_path": {"type": "string"}},
                    "required": ["file_path"],
                    "additionalProperties": False,
                },
            }
        ],
        "metadata": {"user_id": "x"},
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": []},
        "output_config": {"effort": "high"},
        "temperature": 1,
    }
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219",
        "x-api-key": "none",
    }
    answer = daemon.http.post("/v1/messages?beta=true", json=body, headers=headers)
    counted = daemon.http.post(
        "/v1/messages/count_tokens?beta=true", json=body, headers=headers
    )

    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    assert counted.json() == {
        "input_tokens": usage["input_tokens"] + usage["cache_read_input_tokens"]
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": ""}, "model is required"),
        ({"max_tokens": None}, "max_tokens is required and must be positive"),
        ({"max_tokens": 0}, "max_tokens is required and must be positive"),
        ({"temperature": 1.5}, "temperature must be between 0 and 1"),
        ({"top_p": -0.5}, "top_p must be between 0 and 1"),
        ({"messages": []}, "messages is required"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [user([{"type": "video"}])]}, 'content of type "video" is not supported'),
        ({"messages": [user([{"text": "x"}])]}, "missing required field `type`"),
        ({"system": [{"type": "image"}]}, 'system takes blocks of type "text" alone'),
        ({"messages": [user([{"type": "image", "source": {"type": "base64", "data": "aGk="}}])]}, '"tiny" does not support images'),
        ({"messages": [user([{"type": "image", "source": {"type": "url", "url": "http://x"}}])]}, "invalid image source type: url"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "f"}]}]}, "missing required 'id' field"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]}]}, "missing required 'name' field"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "run at Anthropic"),
        ({"tools": [{"name": "f", "input_schema": 3}]}, "must be a JSON Schema object"),
        ({"tools": [{}]}, "tools[0] has no name"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.type must be"),
        ({"tool_choice": {"type": "any"}}, "there are no tools"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers are not supported"),
        ({"output_config": {"effort": "huge"}}, "invalid reasoning value"),
        ({"output_format": {"type": "xml"}}, "output format must be"),
        ({"options": {"num_ctx": "x"}}, 'option "num_ctx" must be of type integer'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
def test_what_a_message_cannot_be(
    daemon: Daemon, body: dict[str, Any], words: str, stream: bool
) -> None:
    given = {**PLAIN, "messages": [user("hi")], **body, "stream": stream}
    response = daemon.post("/v1/messages", **given)

    assert response.status_code == 400
    answer = response.json()
    assert (answer["type"], set(answer)) == ("error", {"type", "error", "request_id"})
    assert answer["error"]["type"] == "invalid_request_error"
    assert words in answer["error"]["message"]


@pytest.mark.parametrize(
    ("method", "content", "status", "kind"),
    [
        ("POST", b"", 400, "invalid_request_error"),
        ("POST", b"{", 400, "invalid_request_error"),
        ("POST", b'{"model": "no", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}', 404, "not_found_error"),
        ("GET", b"", 405, "invalid_request_error"),
    ],
)  # fmt: skip
def test_every_failure_has_anthropics_shape(
    daemon: Daemon, method: str, content: bytes, status: int, kind: str
) -> None:
    response = daemon.http.request(method, "/v1/messages", content=content)

    assert response.status_code == status
    assert response.json()["type"] == "error"
    assert response.json()["error"]["type"] == kind
