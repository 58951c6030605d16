"""What a template can do and how its model writes, learned by rendering conversations and looking at what comes."""

from __future__ import annotations

import copy
import re
from datetime import datetime
from typing import Any, Protocol

import msgspec

from ollapy.errors import InvalidRequest

from .brackets import Brackets
from .formats import CALLS, DROPPED, HEADERS, LLAMA_TAG, THOUGHTS, Calls, Format, Pair
from .parser import Parser
from .sample import Probe, Sample, take_sample
from .spelling import Tools, read_json

_SYSTEM, _USER, _THOUGHT, _ANSWER = "Qsystem", "Quser", "Qthought", "Qanswer"
_TOOL, _WORD = "qprobe", "Qvalue"
_ARGUMENTS: dict[str, object] = {"word": _WORD, "count": 7}
_RESULT = "Qresult"
_PROPERTIES = {
    "word": {"type": "string", "description": "A word."},
    "count": {"type": "integer", "description": "A number."},
}
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": _TOOL,
            "description": "A probe.",
            "parameters": {
                "type": "object",
                "properties": _PROPERTIES,
                "required": ["word"],
            },
        },
    }
]
_THOUGHT_FIELDS = ("reasoning_content", "thinking", "reasoning")
_TAG = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")
_LONG_ID, _SHORT_ID = "call_qprobe01", "qprobe001"


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a template wants a turn with calls: the defaults are what most take."""

    null_content: bool = False
    text_arguments: bool = False
    short_ids: bool = False  # nine letters and digits
    single_calls: bool = False  # no more than one in a turn


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned. `openings` are the texts that prompts end in, before an answer; longest first.

    `thinking` is whether the model's thoughts can be told from its answers, `on` and `off` are the variables
    that have it think or not. Where `writes_calls` is false the template leaves the calls of earlier turns out.
    `infill` is whether it has a place for a gap and what stands around that.
    `sample` is how it writes them, where that could be made out.
    """

    system: bool
    tools: bool
    thinking: bool
    on: dict[str, Any]
    off: dict[str, Any]
    writes_calls: bool
    shape: Shape
    openings: list[str]
    format: Format
    infill: bool = False
    sample: Sample | None = None


# Of a model without a template.
PLAIN = Traits(
    system=True,
    tools=False,
    thinking=False,
    on={},
    off={},
    writes_calls=False,
    shape=Shape(),
    openings=[],
    format=Format(),
)

# Ways of telling a template whether to think. The first is in common use, and harmless where it means nothing.
_SWITCHES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    (
        {"enable_thinking": True, "thinking": True},
        {"enable_thinking": False, "thinking": False, "thinking_budget": 0},
    ),
    ({"reasoning_effort": "high"}, {"reasoning_effort": "no_think"}),  # Hunyuan
    ({"reasoning": True}, {"reasoning": False}),  # Command
    ({"thinking_mode": "enabled"}, {"thinking_mode": "disabled"}),  # MiniMax
)


class Template(Protocol):
    """What is probed."""

    def render(self, **variables: Any) -> str:
        """The text; InvalidRequest where it raises."""


def standing(tools: list[dict[str, Any]] | None) -> dict[str, Any]:
    """What is the same for every request; the last two are what Firefunction calls tools and time."""
    return {
        "tools": tools or None,
        "functions": msgspec.json.format(msgspec.json.encode(tools or [])).decode(),
        "datetime": datetime.now().strftime("%B %d %Y"),
    }


def learn(template: Template) -> Traits:
    """The traits of a template; what it refuses to render counts as what it cannot do."""
    return _Lesson(template).traits()


class _Lesson:
    def __init__(self, template: Template) -> None:
        self._template = template
        self._seen: list[str] = []  # all that was rendered
        self._plain = self._text(_user()) or ""
        self._with_tools = self._text(_user(), tools=TOOLS) or ""

    def traits(self) -> Traits:
        on, off = self._find_switch()
        openings = self._openings(on, off)
        self._echoes = self._echo_thoughts(on)
        shape, turn = self._find_shape()
        form = self._find_format(self._find_thought(openings), turn)
        return Traits(
            system=self._takes_system(),
            tools=_TOOL in self._with_tools and _TOOL not in self._plain,
            thinking=form.thinks,
            on=on,
            off=off,
            writes_calls=bool(turn),
            shape=shape,
            openings=openings,
            format=form,
            infill=self._takes_gap(),
            sample=self._find_sample(shape, turn),
        )

    def _takes_gap(self) -> bool:
        """Whether the template has a place for what comes before and after a gap."""
        gap = {"prompt": _USER, "suffix": _ANSWER}
        try:
            text = self._template.render(messages=[], **gap)
        except InvalidRequest:
            return False
        return _USER in text and _ANSWER in text

    def _text(
        self, *messages: Any, opening: bool = True, tools: Any = None, **more: Any
    ) -> str | None:
        flat = [
            m for part in messages for m in (part if isinstance(part, list) else [part])
        ]
        try:
            text = self._template.render(
                messages=copy.deepcopy(flat),
                add_generation_prompt=opening,
                bos_token="",
                eos_token="",
                **standing(tools),
                **more,
            )
        except InvalidRequest:
            return None
        self._seen.append(text)
        return text

    def _takes_system(self) -> bool:
        said = [
            self._text(_message("system", _SYSTEM), *_user(), tools=tools)
            for tools in (None, TOOLS)
        ]
        return any(_SYSTEM in text for text in said if text)

    def _find_switch(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a prompt's end shows to have an effect, or for the first way any of its text."""
        for on, off in _SWITCHES:
            yes, no = self._text(_user(), **on), self._text(_user(), **off)
            if yes is None or no is None:
                continue
            ends = [text.rpartition(_USER)[2] for text in (yes, no)]
            if ends[0] != ends[1] or (yes != no and (on, off) == _SWITCHES[0]):
                return on, off
        return _SWITCHES[0]

    def _openings(self, on: dict[str, Any], off: dict[str, Any]) -> list[str]:
        found = set()
        for tools in (None, TOOLS):
            for variables in ({}, on, off):
                asked = self._text(_user(), tools=tools, **variables)
                told = self._text(_user(), tools=tools, opening=False, **variables)
                if asked and told:
                    found.add(_tail(asked, told))
        return sorted(found - {""}, key=lambda text: -len(text))

    def _echo_thoughts(self, on: dict[str, Any]) -> list[str]:
        """Earlier answers with thoughts, in every way that templates take them."""
        fields = dict.fromkeys(_THOUGHT_FIELDS, _THOUGHT)
        parts = [
            {"type": "thinking", "thinking": _THOUGHT},
            {"type": "text", "text": _ANSWER},
        ]
        turns = [_message("assistant", _ANSWER, **fields), _message("assistant", parts)]
        texts = [self._text(_user(), turn, opening=False, **on) for turn in turns]
        return [text for text in texts if text and _THOUGHT in text]

    def _find_shape(self) -> tuple[Shape, str]:
        """The shape that has a call written, and the text after the user's with it; "" where none has."""
        for null_content in (False, True):
            for text_arguments in (False, True):
                for short_ids in (False, True):
                    shape = Shape(null_content, text_arguments, short_ids)
                    if turn := self._call_turn(shape):
                        return self._with_number(shape), turn
        return Shape(), ""

    def _with_number(self, shape: Shape) -> Shape:
        turn = call_turn(shape)
        turn["tool_calls"] *= 2
        several = self._text(_user(), turn, opening=False, tools=TOOLS)
        return msgspec.structs.replace(shape, single_calls=several is None)

    def _call_turn(self, shape: Shape) -> str:
        """Rendered with its result, as that is where identifiers are looked at."""
        turn = call_turn(shape)
        result = _message(
            "tool",
            _RESULT,
            name=_TOOL,
            tool_name=_TOOL,
            tool_call_id=turn["tool_calls"][0]["id"],
        )
        whole = self._text(_user(), turn, result, tools=TOOLS)
        alone = self._text(_user(), turn, opening=False, tools=TOOLS)
        if not whole or not alone:
            return ""
        text = alone.rpartition(_USER)[2]
        return text if _TOOL in text and _WORD in text else ""

    def _find_sample(self, shape: Shape, turn: str) -> Sample | None:
        if not turn:
            return None
        double = call_turn(shape)
        double["tool_calls"] *= 2
        text = self._text(_user(), double, opening=False, tools=TOOLS) or ""
        opening = self._with_tools.rpartition(_USER)[2]
        turns = (turn, text.rpartition(_USER)[2])
        bodies = [told[len(_shared(opening, told)) :] for told in turns]
        return take_sample(Probe(_TOOL, _ARGUMENTS, (_LONG_ID, _SHORT_ID)), *bodies)

    def _find_thought(self, openings: list[str]) -> Pair | None:
        seen = [*self._seen]
        for pair in THOUGHTS:
            opens = any(text.rstrip().endswith(pair[0]) for text in openings)
            both = any(pair[0] in text and pair[1] in text for text in seen)
            if opens or both or self._cuts(pair[1]):
                return pair
        return next(filter(None, map(_tags_around, self._echoes)), None)

    def _cuts(self, end: str) -> bool:
        """Whether the template takes a thought out of an earlier answer."""
        answer = _message("assistant", f"{_THOUGHT}{end}{_ANSWER}")
        text = self._text(_user(), answer, _user()) or ""
        return _ANSWER in text and _THOUGHT not in text

    def _find_format(self, thought: Pair | None, turn: str) -> Format:
        for headers in HEADERS:
            form = Format(headers=headers)
            if turn and _reads(form, turn):
                return form
        answered = (
            self._text(_user(), _message("assistant", _ANSWER), opening=False) or ""
        )
        tails = [text.rpartition(_USER)[2] for text in (answered, *self._echoes)]
        dropped = tuple(d for d in DROPPED if any(d in t for t in (turn, *tails)))
        form = Format(thought=thought, dropped=dropped)
        calls = self._find_calls(form, turn)
        return msgspec.structs.replace(form, calls=calls)

    def _find_calls(self, form: Format, turn: str) -> tuple[Calls, ...]:
        if not turn:
            return self._named_calls()
        opening = self._with_tools.rpartition(_USER)[2]
        body = turn[len(_shared(opening, turn)) :]
        for calls in CALLS:
            if _reads(msgspec.structs.replace(form, calls=(calls,)), body):
                return (calls, LLAMA_TAG) if calls.start == "{" else (calls,)
        learned = _learn_calls(body)
        return (learned,) if learned else ()

    def _named_calls(self) -> tuple[Calls, ...]:
        """The forms that the template's own words to the model name."""
        new = [c for c in CALLS if not c.leads and c.start not in self._plain]
        named = [
            c
            for c in new
            if all(tag in self._with_tools for tag in (c.start, c.end, c.each[0]))
        ]
        return tuple({c.start: c for c in reversed(named)}.values())


def call_turn(shape: Shape) -> dict[str, Any]:
    """An assistant's turn with one call."""
    arguments: Any = _ARGUMENTS
    if shape.text_arguments:
        arguments = msgspec.json.encode(_ARGUMENTS).decode()
    call = {
        "type": "function",
        "id": _SHORT_ID if shape.short_ids else _LONG_ID,
        "function": {"name": _TOOL, "arguments": arguments},
    }
    content = None if shape.null_content else ""
    return {"role": "assistant", "content": content, "tool_calls": [call]}


def _user() -> list[dict[str, Any]]:
    return [_message("user", _USER)]


def _message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def _tail(asked: str, told: str) -> str:
    """What a prompt has at its end that asks for an answer."""
    if asked.startswith(told) and asked != told:
        return asked[len(told) :]
    return asked.rpartition(_USER)[2]


def _shared(one: str, other: str) -> str:
    """The beginning that two texts share, up to a tag that only one of them has."""
    pairs = enumerate(zip(one, other, strict=False))
    end = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    shared = one[:end]
    if shared in (one, other):
        return shared
    at = max(shared.rfind("<"), shared.rfind("["))
    return shared[:at] if at >= 0 and not _TAG.search(shared[at:]) else shared


def _reads(form: Format, text: str) -> bool:
    """Whether a parser for the format finds in the text the call that was put there."""
    parser = Parser(form, tools=TOOLS)
    found = [*parser.feed(text), *parser.finish()]
    calls = [call.function for part in found for call in part.tool_calls]
    return [(c.name, c.arguments) for c in calls] == [(_TOOL, _ARGUMENTS)]


def _tags_around(text: str) -> Pair | None:
    """The tags around a thought that an answer follows."""
    before, _, after = text.rpartition(_THOUGHT)
    start = re.search(r"\S+\s*$", before)
    end = _TAG.match(after.lstrip())
    if start and end and _TAG.search(start[0]) and _ANSWER in after:
        return _TAG.findall(start[0])[-1], end[0]
    return None


def _learn_calls(turn: str) -> Calls | None:
    """The tags around a call that is a JSON object."""
    tools, name = Tools.of(TOOLS), turn.find(_TOOL)
    for found in reversed(list(re.finditer(r"\{", turn[:name]))):
        end = Brackets(found.start()).end(turn)
        if end is not None and read_json(turn[found.start() : end], tools):
            before = turn[: found.start()].rstrip("[ \n").split("\n")[-1]
            after = _TAG.match(turn[end:].lstrip("] \n"))
            if start := _TAG.findall(before):
                closing = after[0] if after and after[0][1:2] in "/" else ""
                return Calls(start=start[-1], end=closing)
    return None
