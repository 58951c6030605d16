"""What is sent to the other server, beside what a daemon's own `/v1` shows to be right."""

from __future__ import annotations

from typing import Any

import pytest

from ollapy.api.grammar import ANY_OBJECT, Grammar, GrammarKind
from ollapy.api.ollama import FunctionCall, Message, ToolCall
from ollapy.api.options import SamplingParams
from ollapy.names import ModelName
from ollapy.remote import RemoteModel, questions
from ollapy.runner.protocol import Chat, Complete, Embed, ToolChoice

MODEL = RemoteModel(ModelName.parse("org/m"), "org/m", "far:8000", 4096, 0.0)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def chat(
    *messages: Message, sampling: SamplingParams | None = None, **given: Any
) -> dict[str, Any]:
    defaults = {"tools": None, "think": None, "num_ctx": None, "truncate": True}
    asked = Chat(
        messages=list(messages),
        sampling=sampling or SamplingParams(),
        **{**defaults, **given},
    )
    return questions.chat(MODEL, asked)


def test_every_sampling_value_is_sent() -> None:
    sampling = SamplingParams(
        temperature=0.5,
        top_k=0,
        top_p=0.8,
        min_p=0.1,
        repeat_penalty=1.2,
        seed=7,
        stop=("a", "b"),
        max_tokens=9,
        logit_bias={3: -100.0},
    )
    body = chat(sampling=sampling)

    expected = {
        "model": "org/m",
        "temperature": 0.5,
        "top_k": -1,
        "top_p": 0.8,
        "min_p": 0.1,
        "repetition_penalty": 1.2,
        "seed": 7,
        "stop": ["a", "b"],
        "max_tokens": 9,
        "logit_bias": {"3": -100.0},
    }
    assert {name: body[name] for name in expected} == expected


def test_all_that_there_is_room_for_is_said_by_null() -> None:
    asked = Complete(prompt="a", suffix=None, sampling=SamplingParams(), num_ctx=None)
    assert questions.complete(MODEL, asked)["max_tokens"] is None


@pytest.mark.parametrize(
    ("grammar", "sent"),
    [
        (ANY_OBJECT, {"response_format": {"type": "json_object"}}),
        (
            Grammar(GrammarKind.REGEX, "a+"),
            {"structured_outputs": {"regex": "a+"}},
        ),
        (
            Grammar(GrammarKind.CHOICE, ["a", "b"]),
            {"structured_outputs": {"choice": ["a", "b"]}},
        ),
        (
            Grammar(GrammarKind.LARK, "start: A"),
            {"structured_outputs": {"grammar": "start: A"}},
        ),
    ],
)
def test_every_kind_of_grammar_has_its_place(
    grammar: Grammar, sent: dict[str, Any]
) -> None:
    assert sent.items() <= chat(grammar=grammar).items()


@pytest.mark.parametrize(
    ("think", "effort", "switch"),
    [
        (None, None, None),
        (True, None, True),
        (False, "none", False),
        ("low", "low", None),
    ],
)
def test_thought_is_switched_by_every_name_for_it(
    think: bool | str | None, effort: str | None, switch: bool | None
) -> None:
    body = chat(think=think)
    assert body.get("reasoning_effort") == effort
    switches = body.get("chat_template_kwargs", {})
    assert switches.get("enable_thinking") is switches.get("thinking") is switch


def test_the_choice_of_tools_is_sent() -> None:
    one = chat(tools=[TOOL], tool_choice=ToolChoice(True, "f", False))
    assert one["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert one["parallel_tool_calls"] is False
    assert chat(tools=[TOOL], tool_choice=ToolChoice(True))["tool_choice"] == "required"
    assert "tool_choice" not in chat()


def test_results_find_their_calls() -> None:
    calls = [ToolCall(FunctionCall(name, {})) for name in ("f", "g", "f")]
    named = [Message("tool", name, tool_name=name) for name in ("g", "f")]
    _, assistant, *results = chat(
        Message("user", "?"),
        Message("assistant", "", "why", tool_calls=calls),
        *named,
        Message("tool", "unnamed"),
        Message("tool", "own", tool_call_id="x"),
        Message("tool", "of none"),
    )["messages"]

    assert assistant["reasoning"] == "why"
    assert [call["id"] for call in assistant["tool_calls"]] == [
        "call_1_0",
        "call_1_1",
        "call_1_2",
    ]
    assert [r["tool_call_id"] for r in results] == [
        "call_1_1",
        "call_1_0",
        "call_1_2",
        "x",
        "call",
    ]


def test_texts_are_cut_where_that_is_allowed() -> None:
    def body(*, truncate: bool) -> dict[str, Any]:
        asked = Embed(inputs=["a", [1]], truncate=truncate, dimensions=8, num_ctx=None)
        return questions.embed(MODEL, asked)

    assert body(truncate=True)["truncate_prompt_tokens"] == -1
    assert "truncate_prompt_tokens" not in body(truncate=False)
    assert body(truncate=False)["dimensions"] == 8
