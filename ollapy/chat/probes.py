"""Probes: conversations whose every word is known, and what a template makes of them."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import msgspec

from ollapy.errors import InvalidRequest

from .traits import Shape
from .turns import in_parts, standing

SYSTEM, USER, THOUGHT, ANSWER = "Qsystem", "Quser", "Qthought", "Qanswer"
TOOL, WORD = "qprobe", "Qvalue"
ARGUMENTS: dict[str, object] = {"word": WORD, "count": 7}
LONG_ID, SHORT_ID = "call_qprobe01", "qprobe001"
_RESULT = "Qresult"
_THOUGHT_FIELDS = ("reasoning_content", "thinking", "reasoning")
_PROPERTIES = {
    "word": {"type": "string", "description": "A word."},
    "count": {"type": "integer", "description": "A number."},
}
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "A probe.",
            "parameters": {
                "type": "object",
                "properties": _PROPERTIES,
                "required": ["word"],
            },
        },
    }
]


Message = dict[str, Any]


class Template(Protocol):
    """What is probed."""

    def render(self, **variables: Any) -> str:
        """The text; InvalidRequest where it raises."""


class Probes:
    """Renders conversations; `seen` is all that has come of that."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self.seen: list[str] = []
        self.takes_parts = False  # and not texts as they are
        self.plain = self.text(user()) or ""
        if USER not in self.plain:
            self._try_parts()
        self.with_tools = self.text(user(), tools=TOOLS) or ""

    def _try_parts(self) -> None:
        seen, self.seen, self.takes_parts = self.seen, [], True
        plain = self.text(user()) or ""
        if USER in plain:
            self.plain = plain
        else:
            self.seen, self.takes_parts = seen, False

    def text(
        self,
        *messages: Message,
        opening: bool = True,
        tools: list[dict[str, Any]] | None = None,
        **more: Any,
    ) -> str | None:
        """The prompt, with what asks for an answer or without; None where the template refuses."""
        try:
            text = self._template.render(
                messages=[
                    in_parts(m) if self.takes_parts else copy.deepcopy(m)
                    for m in messages
                ],
                add_generation_prompt=opening,
                bos_token="",
                eos_token="",
                **standing(tools),
                **more,
            )
        except InvalidRequest:
            return None
        self.seen.append(text)
        return text

    def gap(self) -> str:
        """What the template makes of a gap between two texts."""
        try:
            return self._template.render(messages=[], prompt=USER, suffix=ANSWER)
        except InvalidRequest:
            return ""

    def calling(self, shape: Shape) -> str:
        """The text after the user's that a call makes, which must be taken with its result as well.

        Empty where it is not, or the call is left out.
        """
        turn = call_turn(shape)
        result = message(
            "tool",
            _RESULT,
            name=TOOL,
            tool_name=TOOL,
            tool_call_id=turn["tool_calls"][0]["id"],
        )
        whole = self.text(user(), turn, result, tools=TOOLS)
        alone = self.text(user(), turn, opening=False, tools=TOOLS)
        if not whole or not alone:
            return ""
        text = after_user(alone)
        return text if TOOL in text and WORD in text else ""

    def calling_twice(self, shape: Shape) -> str | None:
        """The text after the user's that two calls make in one turn; None where they are refused."""
        turn = call_turn(shape)
        turn["tool_calls"] *= 2
        text = self.text(user(), turn, opening=False, tools=TOOLS)
        return None if text is None else after_user(text)

    def thinking(self, on: dict[str, Any], *, as_parts: bool) -> str:
        """A prompt with an earlier thought in it, in a field or a part of the content; empty where it is left out."""
        fields = dict.fromkeys(_THOUGHT_FIELDS, THOUGHT)
        parts = [
            {"type": "thinking", "thinking": THOUGHT},
            {"type": "text", "text": ANSWER},
        ]
        turn = message("assistant", ANSWER, **fields)
        if as_parts:
            turn = message("assistant", parts)
        text = self.text(user(), turn, opening=False, **on) or ""
        told = after_user(text)
        # a list that is printed as it is was not taken
        is_raw = "'type'" in told or '"type"' in told
        return text if THOUGHT in told and not is_raw else ""

    def answer_of(self, turn: str) -> str:
        """A turn without what the prompt had of it already."""
        return turn[len(shared(after_user(self.with_tools), turn)) :]


def message(role: str, content: Any, **more: Any) -> Message:
    """A message."""
    return {"role": role, "content": content, **more}


def user() -> Message:
    """The user's words."""
    return message("user", USER)


def call_turn(shape: Shape) -> Message:
    """An assistant's turn with one call."""
    arguments: Any = ARGUMENTS
    if shape.text_arguments:
        arguments = msgspec.json.encode(ARGUMENTS).decode()
    call = {
        "type": "function",
        "id": SHORT_ID if shape.short_ids else LONG_ID,
        "function": {"name": TOOL, "arguments": arguments},
    }
    content = None if shape.null_content else ""
    return {"role": "assistant", "content": content, "tool_calls": [call]}


def after_user(text: str) -> str:
    """What follows the user's last words."""
    return text.rpartition(USER)[2]


def shared(one: str, other: str) -> str:
    """The beginning that two texts share, up to a tag that only one of them has."""
    pairs = enumerate(zip(one, other, strict=False))
    end = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    same = one[:end]
    if same in (one, other):
        return same
    at = max(same.rfind("<"), same.rfind("["))
    is_open = at >= 0 and not (">" in same[at:] or "]" in same[at:])
    return same[:at] if is_open else same
