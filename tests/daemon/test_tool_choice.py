"""Tool calls that cannot be malformed, and the choice of them, over HTTP: on models that would never call by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scripts.make_gguf import write_random
from tests.support.daemon import Daemon, running_daemon
from tests.support.marked import write_marked
from tests.support.models import add_model
from tests.support.templates import TEMPLATES

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "maxLength": 8},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
                "unit": {"type": "string", "enum": ["C", "F"]},
            },
            "required": ["place", "days"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {}}}
PART = {
    "type": "function",
    "function": {
        "name": "part",
        "parameters": {
            "type": "object",
            "properties": {"sizes": {"$ref": "#/$defs/sizes"}},
            "required": ["sizes"],
            "$defs": {
                "sizes": {
                    "type": "array",
                    "items": {"enum": [1, 2]},
                    "minItems": 1,
                    "maxItems": 3,
                }
            },
        },
    },
}
TOOLS = [WEATHER, CLOCK, PART]
SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in TOOLS}  # type: ignore[index]


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a model of random weights for every way of writing calls."""
    folder = tmp_path_factory.mktemp("families")
    for name, template in TEMPLATES.items():
        weights = folder / f"{name}.gguf"
        write_random(weights, vocab=1024, context_length=8192, chat_template=template)
        add_model(folder / "models", name, weights)
    write_marked(
        folder / "marked.gguf",
        [
            "<|channel|>",
            "<|message|>",
            "<|start|>",
            "<|end|>",
            "<|call|>",
            "<|return|>",
        ],
        chat_template=TEMPLATES["harmony"],
    )
    add_model(folder / "models", "marked", folder / "marked.gguf")
    with running_daemon(folder) as daemon:
        yield daemon


def ask(
    daemon: Daemon, *, model: str, stream: bool = False, seed: int = 1, **body: Any
) -> dict[str, Any]:
    """An answer's message, joined, and its reason."""
    body = {
        "messages": [{"role": "user", "content": "go"}],
        "tools": TOOLS,
        "options": {
            "temperature": 1,
            "top_k": 0,
            "top_p": 1,
            "seed": seed,
            "num_predict": 300,
            "think_budget": 20,  # no token of some of them ends a thought
        },
        **body,
    }
    with daemon.http.stream(
        "POST", "/api/chat", json={"model": model, "stream": stream, **body}
    ) as response:
        lines = [*response.iter_lines()]
    assert response.status_code == 200, lines
    records = [json.loads(line) for line in lines]
    messages = [record["message"] for record in records]
    if records[-1]["done_reason"] == "stop":
        assert "parse_error" not in records[-1]["ollapy"], messages
    return {
        "content": "".join(m["content"] for m in messages),
        "calls": [c["function"] for m in messages for c in m.get("tool_calls", [])],
        "reason": records[-1]["done_reason"],
    }


def check(calls: list[dict[str, Any]]) -> None:
    for number, call in enumerate(calls):
        assert call.get("index", 0) == number
        Draft202012Validator(SCHEMAS[call["name"]]).validate(call["arguments"])


@pytest.mark.parametrize("family", TEMPLATES)
def test_a_call_is_made_and_valid_where_it_is_required(
    families: Daemon, family: str
) -> None:
    names = set()
    for seed in range(4):
        answer = ask(
            families,
            model=family,
            stream=bool(seed % 2),
            seed=seed,
            tool_choice="required",
            parallel_tool_calls=False,
        )
        if answer["reason"] == "stop":
            assert len(answer["calls"]) == 1
            assert answer["content"].strip() == ""
        check(answer["calls"])
        names |= {call["name"] for call in answer["calls"]}
    assert names


@pytest.mark.parametrize("family", TEMPLATES)
def test_a_call_is_of_the_tool_that_is_named(families: Daemon, family: str) -> None:
    for choice in ("clock", {"type": "function", "function": {"name": "clock"}}):
        answer = ask(
            families, model=family, tool_choice=choice, parallel_tool_calls=False
        )
        assert [(c["name"], c["arguments"]) for c in answer["calls"]] == [("clock", {})]
        assert answer["reason"] == "stop"


def test_a_token_that_ends_a_turn_is_no_text_though_it_is_looked_for(
    families: Daemon,
) -> None:
    """Harmony's tags are control tokens, and one of them ends the answer: not in the middle of an argument."""
    for seed in range(8):
        answer = ask(families, model="marked", seed=seed, tool_choice="required")
        check(answer["calls"])
        assert answer["calls"] or answer["reason"] == "length"


def test_several_calls_where_that_is_not_turned_off(families: Daemon) -> None:
    """The model ends or goes on by chance: of many answers some have several calls, and all are valid."""
    numbers = []
    for seed in range(12):
        answer = ask(families, model="hermes", seed=seed, tool_choice="clock")
        check(answer["calls"])
        numbers.append(len(answer["calls"]))
    assert max(numbers) > 1


def test_no_tools_no_calls(families: Daemon) -> None:
    response = families.post(
        "/api/chat",
        model="hermes",
        messages=[{"role": "user", "content": "go"}],
        tools=TOOLS,
        tool_choice="none",
        _debug_render_only=True,
    )
    assert "get_weather" not in response.json()["_debug_info"]["rendered_template"]


def test_a_schema_or_a_call(families: Daemon) -> None:
    """Of many answers each is one of the two."""
    kinds = set()
    schema = {
        "type": "object",
        "properties": {"a": {"enum": [1, 2]}},
        "required": ["a"],
    }
    for seed in range(12):
        answer = ask(
            families,
            model="hermes",
            seed=seed,
            format=schema,
            parallel_tool_calls=False,
        )
        if answer["reason"] == "stop":
            check(answer["calls"])
            kinds.add(bool(answer["calls"]))
            if not answer["calls"]:
                Draft202012Validator(schema).validate(json.loads(answer["content"]))
    assert kinds


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"tool_choice": "nope"}, 'tool_choice names "nope", which is none of the tools'),
        ({"tool_choice": 3}, 'invalid tool_choice: 3; expected "auto", "none", "required" or the name of a tool'),
        ({"tool_choice": {"type": "function"}}, "invalid tool_choice"),
        ({"tool_choice": "required", "tools": []}, "tool_choice asks for a call, and there are no tools"),
        ({"tool_choice": "get_weather", "tools": None}, "tool_choice asks for a call, and there are no tools"),
        ({"tools": [WEATHER, {"type": "function", "function": {}}]}, "tools[1] has no function with a name"),
        ({"tools": [{"type": "function"}]}, "tools[0] has no function with a name"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0] has no function with a name"),
        ({"tools": [CLOCK] * 513}, "tools has 513 entries, at most 512 are taken"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {"properties": {"a": {"not": {}}}}}}]},
            "tool f: /properties/a/not is not supported",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_is_told(
    daemon: Daemon, body: dict[str, Any], sentence: str
) -> None:
    body = {
        "model": "tiny",
        "messages": [{"role": "user", "content": "go"}],
        "tools": TOOLS,
        **body,
    }
    response = daemon.post("/api/chat", **body)
    assert response.status_code == 400, response.text
    assert sentence in response.json()["error"]


def test_a_tool_whose_schema_cannot_be_enforced_is_called_with_any_arguments(
    families: Daemon,
) -> None:
    odd = {
        "name": "odd",
        "parameters": {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}},
    }
    answer = ask(
        families,
        model="hermes",
        tools=[CLOCK, {"type": "function", "function": odd}],
        tool_choice="clock",
    )
    assert answer["calls"][0] == {"name": "clock", "arguments": {}, "index": 0}
    assert "name=odd" in families.log.read_text() or answer["calls"]
    answer = ask(
        families,
        model="hermes",
        tools=[{"type": "function", "function": odd}],
        tool_choice="required",
    )
    assert "name=odd" in families.log.read_text()


def test_five_hundred_tools(families: Daemon) -> None:
    tools = [
        {"type": "function", "function": {**WEATHER["function"], "name": f"tool_{n}"}}  # type: ignore[dict-item]
        for n in range(512)
    ]
    messages = [{"role": "user", "content": "go"}]
    answer = ask(
        families,
        model="mistral",
        messages=messages,
        tools=tools,
        tool_choice="required",
        parallel_tool_calls=False,
    )
    [call] = answer["calls"]
    assert call["name"].startswith("tool_")
    Draft202012Validator(SCHEMAS["get_weather"]).validate(
        answer["calls"][0]["arguments"]
    )


def test_tiny_calls_when_it_must_and_thinks_before(daemon: Daemon) -> None:
    messages = [{"role": "user", "content": "What is 37 + 48?"}]
    response = daemon.post(
        "/api/chat", model="tiny", messages=messages, tools=TOOLS, tool_choice="get_weather", stream=False,
        options={"temperature": 0, "num_predict": 300},
    )  # fmt: skip
    message = response.json()["message"]
    assert message["thinking"]
    assert {call["function"]["name"] for call in message["tool_calls"]} == {
        "get_weather"
    }
    check([call["function"] for call in message["tool_calls"]])


@pytest.mark.parametrize("family", ["hermes", "coder"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": []},
        {"properties": {"a": 1, "b": {"type": 7}}, "required": "a"},
        {"type": 5},
        {"type": "string"},
        {"properties": {"a": {"enum": []}}},
        {"properties": {'"\n<': {"type": "string"}}},
        "text",
        [1],
    ],
)
def test_parameters_that_are_no_schema_harm_nobody(
    families: Daemon, family: str, parameters: Any
) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    answer = ask(
        families,
        model=family,
        tools=[tool, CLOCK],
        tool_choice="clock",
        parallel_tool_calls=False,
    )
    assert [call["name"] for call in answer["calls"]] == ["clock"]
    answer = ask(
        families,
        model=family,
        tools=[tool, CLOCK],
        tool_choice="required",
        options={"num_predict": 40},
    )
    assert all(call["name"] in ("f", "clock") for call in answer["calls"])
