"""Tools that take a text, and choices among tools, by OpenAI's client: both of its APIs."""

from __future__ import annotations

import re
from typing import Any

import openai
import pytest

from tests.support.daemon import Daemon
from tests.support.events import events
from tests.support.tools import FUNCTION

PATCH = "*** Begin Patch"
QUESTION = "What is the weather in Rome?"
PLAIN: dict[str, Any] = {"model": "tiny", "temperature": 0}
SILENT: dict[str, Any] = {"reasoning": {"effort": "none"}}
DIGITS = {"syntax": "regex", "definition": "[0-9]{3}-[0-9]{3}"}
DIAL = {"name": "dial", "description": "Dial a number."}
# as chats write them, and as responses do
CHAT_DIAL = {"type": "custom", "custom": {**DIAL, "format": {"type": "grammar", "grammar": DIGITS}}}  # fmt: skip
RESPONSE_DIAL = {"type": "custom", **DIAL, "format": {"type": "grammar", **DIGITS}}
CHAT_WEATHER = {"type": "function", "function": FUNCTION}
RESPONSE_WEATHER = {"type": "function", **FUNCTION}


def chat(client: openai.OpenAI, *messages: Any, **more: Any) -> Any:
    asked = [{"role": "user", "content": QUESTION}, *messages]
    created: Any = client.chat.completions.create
    return created(messages=asked, reasoning_effort="none", **PLAIN, **more)


def respond(client: openai.OpenAI, *items: Any, **more: Any) -> Any:
    asked = [{"role": "user", "content": QUESTION}, *items]
    created: Any = client.responses.create
    return created(input=asked, **PLAIN, **SILENT, **more)


def test_a_chat_calls_one_and_goes_on(client: openai.OpenAI) -> None:
    tools = [CHAT_WEATHER, CHAT_DIAL]
    chosen = {"type": "custom", "custom": {"name": "dial"}}
    answer = chat(client, tools=tools, tool_choice=chosen)
    (call,) = answer.choices[0].message.tool_calls

    assert (call.type, call.custom.name) == ("custom", "dial")
    assert re.fullmatch(DIGITS["definition"], call.custom.input)
    assert answer.choices[0].finish_reason == "tool_calls"
    said = answer.choices[0].message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": call.id, "content": "busy"}
    before, after = chat(client, tools=tools), chat(client, said, result, tools=tools)
    assert after.usage.prompt_tokens > before.usage.prompt_tokens + 10


def test_a_streamed_chat_calls_one(client: openai.OpenAI) -> None:
    chunks = chat(client, tools=[CHAT_DIAL], tool_choice="required", stream=True)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    (call,) = [call for delta in deltas for call in delta.tool_calls or []]

    assert (call.index, call.type, call.function) == (0, "custom", None)
    assert re.fullmatch(DIGITS["definition"], call.custom["input"])


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_response_calls_one_and_goes_on(client: openai.OpenAI, is_kept: bool) -> None:
    tools = [RESPONSE_WEATHER, RESPONSE_DIAL]
    chosen = {"type": "custom", "name": "dial"}
    answer = respond(client, tools=tools, tool_choice=chosen)
    (call,) = answer.output

    assert (call.type, call.name) == ("custom_tool_call", "dial")
    assert re.fullmatch(DIGITS["definition"], call.input)
    result = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "busy"}  # fmt: skip
    before = respond(client, tools=tools).usage.input_tokens
    if is_kept:
        told: Any = client.responses.create(
            input=[result],  # type: ignore[list-item]
            tools=tools,  # type: ignore[arg-type]
            previous_response_id=answer.id,
            **PLAIN,
            **SILENT,
        )
    else:
        told = respond(client, call.model_dump(), result, tools=tools)
    assert told.usage.input_tokens > before + 10


def test_the_events_of_a_call(daemon: Daemon) -> None:
    group = {"type": "namespace", "name": "phone", "tools": [RESPONSE_DIAL]}
    body = {**PLAIN, **SILENT, "input": QUESTION, "tools": [group]}
    found = events(daemon, "/v1/responses", **body, tool_choice="required")
    names, data = zip(*found, strict=True)
    added, delta, done, item = data[2:6]

    assert list(names[2:6]) == [
        "response.output_item.added",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.output_item.done",
    ]
    assert added["item"]["input"] == ""
    assert item["item"]["name"] == "phone.dial"
    assert delta["delta"] == done["input"] == item["item"]["input"]
    assert added["item"]["id"] == delta["item_id"] == done["item_id"]


def test_a_grammar_is_in_the_description(daemon: Daemon) -> None:
    """What a model here is not held to it is told, as OpenAI's are."""
    format = {"type": "grammar", "syntax": "lark", "definition": f'start: "{PATCH}"'}
    plain = {"type": "custom", "name": "apply_patch", "description": "Patch."}
    counts = [
        daemon.post(
            "/v1/responses/input_tokens", model="tiny", input=QUESTION, tools=[tool]
        ).json()["input_tokens"]
        for tool in (plain, {**plain, "format": format})
    ]

    assert counts[1] > counts[0] + 10


@pytest.mark.parametrize("mode", ["required", "auto"])
def test_some_tools_are_allowed(client: openai.OpenAI, mode: str) -> None:
    other = {"type": "function", "name": "other", "parameters": {"type": "object"}}
    named = {"type": "function", "name": "get_weather"}
    allowed = {"type": "allowed_tools", "mode": mode, "tools": [named]}
    answer = respond(client, tools=[other, RESPONSE_WEATHER], tool_choice=allowed)
    inner = {"mode": mode, "tools": [{"type": "function", "function": {"name": "get_weather"}}]}  # fmt: skip
    said = chat(
        client,
        tools=[{"type": "function", "function": {"name": "other"}}, CHAT_WEATHER],
        tool_choice={"type": "allowed_tools", "allowed_tools": inner},
    )

    assert [item.name for item in answer.output] == ["get_weather"]
    assert [tool.name for tool in answer.tools] == ["other", "get_weather"]
    (call,) = said.choices[0].message.tool_calls
    assert call.function.name == "get_weather"


CUSTOM = {"type": "custom", "name": "f"}
ALLOWED = {"type": "allowed_tools", "mode": "auto"}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"tools": [{"type": "custom"}]}, "tools[0] has no name"),
        ({"tools": [{**CUSTOM, "description": 5}]}, "description must be a string"),
        ({"tools": [{**CUSTOM, "format": {"type": "x"}}]}, "tools[0]: the format must"),
        ({"tools": [{**CUSTOM, "format": {"type": "grammar"}}]}, "with a definition"),
        ({"tool_choice": {**ALLOWED, "tools": [CUSTOM]}}, "allows f, which is none"),
        ({"tool_choice": {**ALLOWED, "tools": [5]}}, "allows None, which is"),
        ({"tool_choice": {**ALLOWED, "mode": "x", "tools": []}}, "takes a mode"),
        ({"tool_choice": ALLOWED}, "and a list of tools"),
        ({"input": [{"type": "custom_tool_call"}]}, "custom_tool_call has no name"),
    ],
)
def test_what_is_refused(daemon: Daemon, more: dict[str, Any], sentence: str) -> None:
    answer = daemon.post("/v1/responses", **{**PLAIN, "input": QUESTION, **more})

    assert answer.status_code == 400, answer.text
    assert sentence in answer.json()["error"]["message"]


def test_a_call_of_nothing(daemon: Daemon) -> None:
    said = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    answer = daemon.post("/v1/chat/completions", model="tiny", messages=[said])

    assert answer.status_code == 400
    assert "neither a function nor a custom tool" in answer.json()["error"]["message"]
