"""Conversations through Go templates, with the text that Go (1.26) makes of them when it is driven as Ollama drives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ollapy.chat.go_template import GoChatTemplate
from ollapy.chat.learn import learn
from ollapy.errors import InvalidRequest
from scripts.templates import refusals

FOLDER = Path(__file__).with_name("go")
TEMPLATES = {path.stem: path.read_text() for path in FOLDER.glob("*.gotmpl")}
CASES = [
    json.loads(line)
    for line in (FOLDER / "expected.jsonl").read_text().split("\n")
    if line
]


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def result(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "tool", "content": text, **more}


WEATHER = {
    "name": "weather",
    "description": 'The weather <now> & "then".',
    "parameters": {
        "type": "object",
        "required": ["city"],
        "properties": {
            "city": {"type": "string", "description": "A city"},
            "days": {"type": "integer"},
            "any": {"type": ["string", "null"]},
            "unit": {"type": "string", "enum": ["C", "F"]},
            "opt": {"anyOf": [{"type": "number"}, {"type": "boolean"}]},
            "list": {"type": "array", "items": {"type": "string"}},
            "obj": {
                "type": "object",
                "properties": {"x": {"type": "string"}},
                "required": ["x"],
            },
        },
    },
}
CLOCK = {
    "name": "clock",
    "description": "",
    "parameters": {"type": "object", "properties": {}},
}
TOOLS = [{"type": "function", "function": function} for function in (WEATHER, CLOCK)]
ARGUMENTS = {"city": "Rome & <x>", "days": 2, "z": [1, 2], "a": None}
CALLS = [
    {"id": "c1", "function": {"name": "weather", "arguments": ARGUMENTS}},
    {"id": "c2", "function": {"name": "clock", "arguments": {}}},
]
CONVERSATIONS = {
    "user": [user("hi")],
    "system-user": [system("Be brief."), user("hi")],
    "turns": [user("a"), assistant("b"), user("c")],
    "system-turns": [
        *(system("Be <brief>."), user("a"), assistant("b")),
        *(user("c"), assistant("d"), user("e")),
    ],
    "two-systems": [
        *(system("one"), system("two"), user("a")),
        *(assistant("b"), system("three"), user("c")),
    ],
    "two-users": [
        *(user("a"), user("b")),
        *(assistant("c"), assistant("d"), user("e")),
    ],
    "system-last": [user("a"), system("s")],
    "answer-first": [assistant("x"), user("y")],
    "empty": [user("")],
    "only-system": [system("s")],
    "thinking": [user("a"), assistant("b", thinking="hm"), user("c")],
    "thought-call": [
        user("a"),
        assistant("", thinking="hm", tool_calls=CALLS),
        result('sunny "x"', tool_name="weather", tool_call_id="c1"),
        result("12", tool_name="clock"),
    ],
    "unicode": [
        user("héllo 😀 \u2028 {{ .System }}"),
        assistant("ok"),
        user("c\n\n"),
    ],
}


def variables(case: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (think := case.get("think")) is not None:
        found["enable_thinking"] = bool(think)
    if isinstance(think, str):
        found["reasoning_effort"] = think
    if case["conversation"] == "infill":
        return {**found, "prompt": "def f(", "suffix": "):"}
    tools = TOOLS if case.get("tools") else None
    messages = CONVERSATIONS[case["conversation"]]
    return {**found, "messages": messages, "tools": tools}


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_prompt_is_what_ollama_makes(name: str) -> None:
    template = GoChatTemplate(TEMPLATES[name])
    for case in _cases(name):
        assert template.render(**variables(case)) == case["text"], case


def _cases(name: str) -> Iterator[dict[str, Any]]:
    found = [case for case in CASES if case["template"] == name]
    assert found
    yield from found


def test_what_is_given_is_left_as_it_was() -> None:
    messages = [user("a"), user("b")]

    GoChatTemplate(TEMPLATES["llama3"]).render(messages=messages, tools=None)

    assert messages == [user("a"), user("b")]


def test_two_turns_with_calls_stay_two() -> None:
    """Joined, the second one's calls would be lost."""
    messages = [assistant("", tool_calls=CALLS[:1]), assistant("", tool_calls=CALLS)]
    text = GoChatTemplate(TEMPLATES["mistral"]).render(messages=messages, tools=None)

    assert text.count('"weather"') == 2


def test_keys_of_a_schema_that_are_new_to_ollama_reach_the_model() -> None:
    parameters = {
        "properties": {"n": {"type": "integer", "minimum": 3}},
        "additionalProperties": False,
    }
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    text = GoChatTemplate("{{ .Tools }}{{ .Messages }}").render(
        messages=[], tools=tools
    )

    assert '"minimum":3' in text
    assert '"additionalProperties":false' in text


@pytest.mark.parametrize(
    "tools",
    [
        [{}],
        [{"function": None}],
        [{"function": {"parameters": [1]}}],
        [{"function": {"parameters": {"properties": {"x": 3, "y": {"type": 4}}}}}],
        [{"function": {"parameters": {"properties": {"x": {"anyOf": [None]}}}}}],
    ],
)
def test_odd_tools_break_nothing(tools: list[dict[str, Any]]) -> None:
    text = GoChatTemplate(TEMPLATES["typescript"]).render(messages=[], tools=tools)

    assert text.startswith("// ")


@pytest.mark.parametrize(
    "messages",
    [
        [user("x") | {"content": [{"type": "text"}]}],
        [assistant("", tool_calls=[{"function": {"name": 3, "arguments": {}}}])],
    ],
)
def test_what_is_no_text_is_refused(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidRequest, match="must be strings"):
        GoChatTemplate(TEMPLATES["qwen2"]).render(messages=messages, tools=None)


FAMILIES = {
    "qwen2": (False, "<tool_call>", "<|im_end|>\n<|im_start|>assistant\n"),
    "qwen3": (True, None, "<|im_end|>\n<|im_start|>assistant\n"),
    "mistral": (False, "[TOOL_CALLS]", "[/INST]"),
    "deepseek_r1": (True, None, "<｜Assistant｜>"),
    "llama31": (False, "{", "<|start_header_id|>assistant<|end_header_id|>\n\n"),
    "command_r": (False, "Action: ```json", "<|CHATBOT_TOKEN|>"),
    "harmony": (True, "functions", "<|start|>assistant"),
    "vicuna": (False, None, "\nASSISTANT: "),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_model_writes_is_learned_from_its_template(name: str) -> None:
    """As from Jinja: whether it thinks, how it calls tools, and how its prompts end."""
    thinking, start, opening = FAMILIES[name]
    traits = learn(GoChatTemplate(TEMPLATES[name]))
    calls = [call.start for call in traits.format.calls]
    if headers := traits.format.headers:
        calls = ["functions"] if "functions" in headers.call else []

    assert (traits.thinking, traits.tools) == (thinking, start is not None)
    assert calls[:1] == ([start] if start else [])
    assert any(known.endswith(opening) for known in traits.openings)


def test_every_kind_of_conversation_is_in_the_prompt() -> None:
    """With system texts, tools and their results, and answers to go on from, whatever the template knows of them."""
    assert refusals(FOLDER.glob("*.gotmpl")) == []


def test_a_place_for_a_gap_is_found() -> None:
    found = {
        name
        for name, source in TEMPLATES.items()
        if learn(GoChatTemplate(source)).infill
    }

    assert found == {"infill"}
