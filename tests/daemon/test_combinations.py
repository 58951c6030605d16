"""Thinking, streaming, tools and formats in every combination, by Ollama's API and OpenAI's: the tiny model, held to what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.daemon import Daemon
from tests.support.events import events

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["answer"],
}
PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["a"],
}
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": PARAMETERS}}]
FORMATS: dict[str, tuple[Any, Any]] = {
    "free": (None, None),
    "json": ("json", {"type": "object"}),
    "schema": (SCHEMA, SCHEMA),
}


@dataclass
class Said:
    """An answer, whichever API it came by."""

    content: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    reason: str = ""


def native(daemon: Daemon, body: dict[str, Any]) -> Said:
    with daemon.http.stream("POST", "/api/chat", json=body) as response:
        records = [json.loads(line) for line in response.iter_lines()]
    assert response.status_code == 200, records
    assert "parse_error" not in records[-1]["ollapy"]
    said = Said(reason=records[-1]["done_reason"])
    for message in [record["message"] for record in records]:
        said.content += message["content"]
        said.thinking += message.get("thinking", "")
        calls = [call["function"] for call in message.get("tool_calls", [])]
        said.calls += [(call["name"], call["arguments"]) for call in calls]
    return said


def openai(daemon: Daemon, body: dict[str, Any]) -> Said:
    asked = {
        **body,
        "tool_choice": body["tool_choice"]
        if body["tool_choice"] != "add"
        else {"type": "function", "function": {"name": "add"}},
        "response_format": _response_format(body["format"]),
    }
    del asked["format"]
    if not body["stream"]:
        answer = daemon.post("/v1/chat/completions", **asked)
        assert answer.status_code == 200, answer.text
        parts = [answer.json()["choices"][0]]
    else:
        found = events(daemon, "/v1/chat/completions", **asked)
        assert found[-1] == ("", "[DONE]")
        parts = [event["choices"][0] for _, event in found[:-1]]
    said = Said(reason=parts[-1]["finish_reason"])
    for part in parts:
        message = part.get("message") or part["delta"]
        said.content += message.get("content") or ""
        said.thinking += message.get("reasoning") or ""
        calls = [call["function"] for call in message.get("tool_calls") or []]
        said.calls += [(call["name"], json.loads(call["arguments"])) for call in calls]
    return said


def _response_format(wanted: Any) -> Any:
    if isinstance(wanted, dict):
        return {"type": "json_schema", "json_schema": {"name": "x", "schema": wanted}}
    return {"type": "json_object"} if wanted else None


NATIVE = product([native], [True, False, 8], [True, False])
OPENAI = product([openai], [True, False], [True, False])


@pytest.mark.parametrize(
    ("ask", "think", "stream", "tools", "form"),
    [
        (*shape, tools, form)
        for shape in [*NATIVE, *OPENAI]
        for tools in ("none", "auto", "required", "add")
        for form in FORMATS
    ],
)
def test_every_combination(
    daemon: Daemon,
    ask: Callable[[Daemon, dict[str, Any]], Said],
    think: bool | int,
    stream: bool,
    tools: str,
    form: str,
) -> None:
    wanted, expected = FORMATS[form]
    body = {
        "model": "tiny",
        "messages": [{"role": "user", "content": "What is 37 + 48?"}],
        "think": think,
        "stream": stream,
        "tools": TOOLS,
        "tool_choice": tools,
        "parallel_tool_calls": False,
        "format": wanted,
        "options": {"temperature": 0, "num_predict": 200},
    }
    said = ask(daemon, body)

    assert bool(said.thinking) is bool(think)
    assert len(said.calls) <= 1
    for name, arguments in said.calls:
        assert name == "add"
        Draft202012Validator(PARAMETERS).validate(arguments)
    if said.reason == "length":
        assert form == "json", "everything else is short"
    elif tools in ("required", "add"):
        assert said.calls
        assert not said.content
    elif expected and not said.calls:
        Draft202012Validator(expected).validate(json.loads(said.content))
    if tools == "none":
        assert not said.calls
    if ask is openai:
        assert (said.reason == "tool_calls") is bool(said.calls)
