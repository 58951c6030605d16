"""Calls written by chance within the rules made from a template, and read by the parser made from the same template."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from ollapy.api.ollama import Message
from ollapy.api.options import SamplingParams
from ollapy.chat.formats import Calls, Style
from ollapy.chat.jinja import ChatTemplate
from ollapy.chat.learn import Traits, learn
from ollapy.chat.parser import Parser
from ollapy.chat.sample import Part, Probe, Tags, take_sample
from ollapy.errors import Unsupported
from ollapy.grammar.compiler import Compiler, Vocabulary
from ollapy.grammar.constraint import Constraint, Masks
from ollapy.grammar.lark import Thought
from ollapy.runner.calling import calling_of
from ollapy.runner.protocol import Chat, ToolChoice
from tests.support.templates import TEMPLATES

END = 256
TOKENS = [
    *(bytes([b]) for b in range(256)),
    b"</s>",
    b'"}}',
    b"}\n",
    b"<tool_call>",
    b">\n<",
    b'{"',
    b'": ',
    b"</",
    b"][",
]
TOOLS: list[dict[str, Any]] = [
    {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "pattern": "^[A-Z][a-z]{1,6}$"},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
                "unit": {"type": "string", "enum": ["C", "F"]},
                "hours": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
                "note": {"anyOf": [{"const": "a"}, {"type": "null"}]},
                "who": {"type": ["string", "null"]},
                "sky": {
                    "type": "object",
                    "properties": {
                        "blue": {"type": "boolean"},
                        "Why": {"const": "it's"},
                    },
                    "required": ["Why"],
                },
            },
            "required": ["days"],
        },
    },
    {"name": "clock"},
    {
        "name": "anything",
        "parameters": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    {
        "name": "nested.tool-name_2",
        "parameters": {
            "properties": {"at": {"$ref": "#/$defs/point"}},
            "required": ["at"],
            "$defs": {
                "point": {
                    "type": "object",
                    "properties": {"x": {"enum": [0.5, -1]}},
                    "required": ["x"],
                }
            },
        },
    },
]
SCHEMAS = {tool["name"]: tool.get("parameters", {"maxProperties": 0}) for tool in TOOLS}
GIVEN = [{"type": "function", "function": tool} for tool in TOOLS]
PROBE = Probe("probe", {"word": "Value", "count": 7}, ("call_probe01", "probe0001"))
# A folder of models' own templates, where there is one.
_FOLDER = os.environ.get("OLLAPY_TEST_TEMPLATES")
REAL = (
    {path.stem: path.read_text() for path in sorted(Path(_FOLDER).glob("*.jinja"))}
    if _FOLDER
    else {}
)


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(lambda: Vocabulary(TOKENS, [END], [END]))


def chat(**choice: Any) -> Chat:
    """A request with the tools."""
    return Chat(
        messages=[Message("user", "go")],
        tools=GIVEN,
        tool_choice=ToolChoice(**choice),
        think=None,
        sampling=SamplingParams(),
        num_ctx=None,
        truncate=False,
    )


def walk(constraint: Constraint, rng: Random, limit: int = 3000) -> str | None:
    """A text chosen by chance among all that are allowed; None where it does not end."""
    size, masks = len(TOKENS), Masks(len(TOKENS))
    said = b""
    for _ in range(limit):
        with masks.computing([constraint]):
            pass
        row = np.zeros(size, np.float32)
        constraint.restrict(row)
        allowed = np.flatnonzero(np.isfinite(row)).tolist()
        token = END if END in allowed and rng.random() < 0.5 else rng.choice(allowed)
        if token == END:
            break
        said += TOKENS[token]
        constraint.take(token)
        if constraint.is_complete:
            break
    masks.close()
    return said.decode() if constraint.may_end else None


def read(traits: Traits, text: str) -> list[dict[str, Any]]:
    """The calls that the parser finds, all of the text being calls."""
    opening = traits.openings[0] if traits.format.headers else ""
    parser = Parser(traits.format, tools=GIVEN, opening=opening)
    found = [*parser.feed(text), *parser.finish()]
    assert not parser.error, text
    assert not "".join(part.content for part in found).strip(), text
    return [
        {"name": call.function.name, "arguments": call.function.arguments}
        for part in found
        for call in part.tool_calls
    ]


def check(calls: list[dict[str, Any]]) -> None:
    for call in calls:
        arguments = {k: v for k, v in call["arguments"].items() if k != "place"}
        schema = SCHEMAS[call["name"]]
        needed = [name for name in schema.get("required", []) if name != "place"]
        Draft202012Validator({**schema, "required": needed}).validate(arguments)


@pytest.mark.parametrize("name", [*TEMPLATES, *REAL])
def test_the_parser_reads_what_the_rules_let_through(
    compiler: Compiler, name: str
) -> None:
    traits = learn(ChatTemplate({**TEMPLATES, **REAL}[name]))
    if name in REAL and (not traits.tools or calling_of(chat(), traits, ()) is None):
        pytest.skip("nothing to be made of it")
    calling = calling_of(chat(is_required=True), traits, ("</s>",))
    assert calling is not None
    finished = 0
    for seed in range(10):
        text = walk(compiler.constraint(None, calling=calling), Random(seed))
        if text is not None:
            calls = read(traits, text)
            assert calls, text
            check(calls)
            finished += 1
    assert finished


def says(constraint: Constraint, text: str) -> bool:
    return constraint.follow(list(text.encode()))


def held(
    compiler: Compiler, thought: Thought | None = None, **choice: Any
) -> Constraint:
    calling = calling_of(
        chat(**choice), learn(ChatTemplate(TEMPLATES["hermes"])), ("</s>",)
    )
    return compiler.constraint(None, thought, calling=calling)


CLOCK = '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>'
OPTIONAL = Thought("<think>", "</think>", is_optional=True)


@pytest.mark.parametrize("thought", [None, OPTIONAL, Thought("", "</think>")])
@pytest.mark.parametrize("is_parallel", [True, False])
def test_text_is_free_and_calls_are_not(
    compiler: Compiler, thought: Thought | None, is_parallel: bool
) -> None:
    before = {None: "", OPTIONAL: "<think>so <tool_call> x</think>\n\n"}.get(
        thought, "so <tool_call> x</think>"
    )

    def may(text: str, *, whole: bool = True) -> bool:
        constraint = held(compiler, thought, is_parallel=is_parallel)
        return says(constraint, before + text) and constraint.may_end is whole

    assert may("Hello, <tool_cal> and { so on }.")
    assert may(CLOCK)
    assert may(f"Let me see. {CLOCK}")
    assert may(f"{CLOCK}\n{CLOCK}") is is_parallel
    assert may(f"{CLOCK} And {CLOCK}") is is_parallel
    assert may('<tool_call> {"name":"clock","arguments":{}}</tool_call>')
    assert may('<tool_call>{"name": "clo', whole=False)
    assert not may('<tool_call>{"name": "clox', whole=False)
    assert not may("<tool_call>now", whole=False)
    assert not may('<tool_call>{"name": "clock", "arguments": {"a', whole=False)
    assert not may(
        '<tool_call>{"name": "get_weather", "arguments": {"unit', whole=False
    )


def test_an_answer_may_begin_without_the_thought_that_it_may_have(
    compiler: Compiler,
) -> None:
    for text in ("Hello", CLOCK, f"So {CLOCK}"):
        constraint = held(compiler, OPTIONAL)
        assert says(constraint, text)
        assert constraint.may_end
    assert not says(held(compiler, OPTIONAL), "So <tool_call>x")


def test_one_call_alone_ends_the_answer(compiler: Compiler) -> None:
    constraint = held(compiler, is_parallel=False)
    assert says(constraint, CLOCK)
    assert constraint.is_complete
    assert not held(compiler).is_complete


ATEM = (
    '<atem:function_calls><atem:invoke name="%s"></atem:invoke></atem:function_calls>'
)


@pytest.mark.parametrize(
    ("family", "text", "holds"),
    [
        ("functionary-3", "all\nSee:\n>>> print(1)\n", True),
        ("functionary-3", "clock\n{}", True),
        ("functionary-3", "all\nSee.>>>clock\n{}>>>all\nSo.", True),
        ("functionary-3", "clox", False),
        ("functionary-3", "all\nSee.>>>clox", False),
        ("functionary-3", 'clock\n{"a', False),
        ("glimmer", " to=user<|message|>So.", True),
        ("glimmer", " to=clock<|message|>" + ATEM % "clock", True),
        ("glimmer", " to=clock<|message|>" + ATEM % "clox", False),
    ],
)
def test_calls_in_messages_with_headers(
    compiler: Compiler, family: str, text: str, holds: bool
) -> None:
    traits = learn(ChatTemplate(TEMPLATES[family]))
    calling = calling_of(chat(), traits, ("<|end|>",))
    assert says(compiler.constraint(None, calling=calling), text) is holds


def test_a_thought_may_come_before_a_message_that_must_be_a_call(
    compiler: Compiler,
) -> None:
    traits = learn(ChatTemplate(TEMPLATES["glimmer"]))
    calling = calling_of(chat(is_required=True), traits, ())
    form = traits.format
    assert form.headers is not None
    thought = Thought(form.start_of_thought, form.headers.turn, is_optional=True)
    call = " to=clock<|message|>" + ATEM % "clock"
    for text in (call, f" to=self<|message|>So.<|eom|><|start|>assistant{call}"):
        constraint = compiler.constraint(None, thought, calling=calling)
        assert says(constraint, text), text
        assert constraint.may_end
    assert not says(compiler.constraint(None, thought, calling=calling), " to=user")


def test_without_a_sample_a_call_cannot_be_asked_for() -> None:
    learned = learn(ChatTemplate(TEMPLATES["hermes"]))
    tagged = Calls(start="<call>", style=Style.TAGGED)
    form = msgspec.structs.replace(learned.format, calls=(tagged,))
    traits = msgspec.structs.replace(learned, sample=None, format=form)
    assert calling_of(chat(), traits, ()) is None
    with pytest.raises(Unsupported, match="tool_choice cannot be enforced"):
        calling_of(chat(is_required=True), traits, ())


OBJECT = '{"name": "probe", "arguments": {"word": "Value", "count": 7}}'


@pytest.mark.parametrize(
    ("one", "two", "lead", "between", "tail"),
    [
        (f"<call>{OBJECT}</call><end>", f"<call>{OBJECT}</call>\n<call>{OBJECT}</call><end>", '<call>{"name": "', '}</call>\n<call>{"name": "', "}</call><end>"),
        (f"[{OBJECT}]", f"[{OBJECT}, {OBJECT}]", '[{"name": "', '}, {"name": "', "}]"),
        (f"[{OBJECT}]", f"{OBJECT} and {OBJECT}", '[{"name": "', None, "}]"),
        (f"[{OBJECT}]", "", '[{"name": "', None, "}]"),
    ],
)  # fmt: skip
def test_a_sample_of_objects(
    one: str, two: str, lead: str, between: str | None, tail: str
) -> None:
    sample = take_sample(PROBE, one, two)
    assert sample is not None
    assert (sample.lead, sample.between, sample.tail) == (lead, between, tail)
    assert [part for part, _ in sample.unit] == [Part.NAME, Part.TEXT, Part.ARGUMENTS]


def test_a_sample_with_ids_and_numbers() -> None:
    one = 'probe:0<args>{"count": 7, "word": "Value"}<id>call_probe01'
    sample = take_sample(PROBE, one, one + "|" + one.replace(":0", ":1"))
    assert sample is not None
    parts = [part for part, _ in sample.unit]
    assert parts == [
        Part.NAME,
        Part.TEXT,
        Part.ID,
        Part.TEXT,
        Part.ARGUMENTS,
        Part.TEXT,
        Part.ID,
    ]
    assert sample.between == "|"


def test_a_sample_of_tags() -> None:
    one = '<f=probe>\n<p a="word" s>Value</p>\n<p a="count" n>7</p>\n</f>'
    sample = take_sample(PROBE, one, f"{one}\n{one}")
    assert sample is not None
    assert sample.tags == Tags('>\n<p a="', '" s>', '" n>', "</p")
    assert sample.between == ">\n</f>\n<f="


@pytest.mark.parametrize(
    ("text", "arguments", "is_sorted"),
    [
        ("[probe(word='Value', count=7)]", "word='Value', count=7", False),
        ('probe(word="Value",count=7)', 'word="Value",count=7', False),
        ("call:probe{count:7,word:<|Value<|}", "count:7,word:<|Value<|", True),
    ],
)
def test_a_sample_of_arguments_in_brackets(
    text: str, arguments: str, is_sorted: bool
) -> None:
    sample = take_sample(PROBE, text, f"{text}, {text}")
    assert sample is not None
    before, _, after = text.partition(arguments)
    assert sample.lead + "probe" + sample.unit[1][1] == before
    assert (sample.tail, sample.is_sorted) == (after, is_sorted)
    assert sample.between == f"{after}, {sample.lead}"


def test_a_sample_of_tags_that_say_the_name_again() -> None:
    one = "<probe><word>Value</word><count>7</count></probe>"
    sample = take_sample(PROBE, one, one * 2)
    assert sample is not None
    assert sample.tags is not None
    assert sample.tags.name == "><"
    assert sample.tags.end_of("other") == "</other"


@pytest.mark.parametrize(
    "text",
    ["", "probe", OBJECT.replace("probe", "other"), 'probe(word="Value", count=8)', '{"probe": "{\\"word\\": 1}"}', "word Value count 7"],
)  # fmt: skip
def test_what_no_sample_can_be_taken_of(text: str) -> None:
    assert take_sample(PROBE, text, text * 2) is None
