"""Thinking, streaming, tools and formats in every combination: the tiny model, held to what was asked for."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.daemon import Daemon

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


@pytest.mark.parametrize(
    ("think", "stream", "tools", "form"),
    list(
        product(
            [True, False, 8],
            [True, False],
            ["none", "auto", "required", "add"],
            FORMATS,
        )
    ),
)
def test_every_combination(
    daemon: Daemon, think: bool | int, stream: bool, tools: str, form: str
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
    with daemon.http.stream("POST", "/api/chat", json=body) as response:
        records = [json.loads(line) for line in response.iter_lines()]
    assert response.status_code == 200, records
    messages = [record["message"] for record in records]
    content = "".join(message["content"] for message in messages)
    calls = [call for message in messages for call in message.get("tool_calls", [])]

    assert any(message.get("thinking") for message in messages) is bool(think)
    assert "parse_error" not in records[-1]["ollapy"]
    assert len(calls) <= 1
    for call in calls:
        assert call["function"]["name"] == "add"
        Draft202012Validator(PARAMETERS).validate(call["function"]["arguments"])
    if records[-1]["done_reason"] != "stop":
        assert form == "json", "everything else is short"
    elif tools in ("required", "add"):
        assert calls
        assert not content
    elif expected and not calls:
        Draft202012Validator(expected).validate(json.loads(content))
    if tools == "none":
        assert not calls
