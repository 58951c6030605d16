"""Parser: the model's text, as it arrives, to content, thinking and tool calls."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from enum import Enum, auto

import msgspec

from ollapy.api.ollama import FunctionCall, ToolCall
from ollapy.markers import split

OPEN_THINK, CLOSE_THINK = "<think>", "</think>"
OPEN_CALL, CLOSE_CALL = "<tool_call>", "</tool_call>"
_ID_LETTERS = string.ascii_lowercase + string.digits


class _State(Enum):
    START = auto()  # only blanks so far: a thought may still begin
    THINKING = auto()
    AFTER = auto()  # blanks between a thought and the answer
    CONTENT = auto()
    CALL = auto()


@dataclass(slots=True)
class Parsed:
    """What a piece of text came to."""

    content: str = ""
    thinking: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)

    def __add__(self, other: Parsed) -> Parsed:
        return Parsed(
            self.content + other.content,
            self.thinking + other.thinking,
            self.tool_calls + other.tool_calls,
        )


class Parser:
    """Holds text back only while it may be the beginning of a tag.

    `thinking` and `tools` say which tags mean something; `inside` that the prompt itself ended in an
    open thinking tag. Only what comes first can be a thought, and blanks around it belong to its tags.
    A call that is no JSON object with a name comes out as content, tags and all.
    """

    def __init__(self, *, thinking: bool, tools: bool, inside: bool = False) -> None:
        first = _State.START if thinking else _State.CONTENT
        self._state = _State.THINKING if inside else first
        self._tools = tools
        self._pending = ""
        self._num_calls = 0
        self._thought = False  # whether any of the thought has been let out
        self._takes = {
            _State.START: self._take_start,
            _State.THINKING: self._take_thinking,
            _State.AFTER: self._take_after,
            _State.CONTENT: self._take_content,
            _State.CALL: self._take_call,
        }

    def feed(self, text: str) -> Parsed:
        """What is certain now."""
        parsed = Parsed()
        self._pending += text
        while (state := self._takes[self._state](parsed)) is not None:
            self._state = state
        return parsed

    def finish(self) -> Parsed:
        """What was held back, now that nothing follows."""
        held, self._pending = self._pending, ""
        if self._state is _State.THINKING:
            return Parsed(thinking=held.rstrip())
        return Parsed(content=OPEN_CALL + held if self._state is _State.CALL else held)

    # Each of these takes what it can from the pending text and returns the state that goes on with
    # the rest, or None when more text is needed.

    def _take_start(self, _parsed: Parsed) -> _State | None:
        text = self._pending.lstrip()
        if text.startswith(OPEN_THINK):
            self._pending = text.removeprefix(OPEN_THINK)
            return _State.THINKING
        return None if OPEN_THINK.startswith(text) else _State.CONTENT

    def _take_thinking(self, parsed: Parsed) -> _State | None:
        text, tag, rest = split(self._pending, (CLOSE_THINK,))
        body = text.rstrip()
        parsed.thinking += body if self._thought else body.lstrip()
        self._thought = self._thought or bool(body)
        self._pending = rest if tag else text[len(body) :] + rest
        return _State.AFTER if tag else None

    def _take_after(self, _parsed: Parsed) -> _State | None:
        self._pending = self._pending.lstrip()
        return _State.CONTENT if self._pending else None

    def _take_content(self, parsed: Parsed) -> _State | None:
        text, tag, self._pending = split(
            self._pending, (OPEN_CALL,) if self._tools else ()
        )
        parsed.content += text
        return _State.CALL if tag else None

    def _take_call(self, parsed: Parsed) -> _State | None:
        text, tag, rest = split(self._pending, (CLOSE_CALL,))
        if tag is None:
            return None
        self._pending = rest
        if call := parse_call(text, self._num_calls):
            parsed.tool_calls.append(call)
            self._num_calls += 1
        else:
            parsed.content += OPEN_CALL + text + CLOSE_CALL
        return _State.CONTENT


def parse_call(text: str, index: int) -> ToolCall | None:
    """A call from its JSON, `{"name": …, "arguments" or "parameters": {…}}`; None where it is not one."""
    try:
        found = msgspec.json.decode(text.strip(), type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return None
    name, arguments = (
        found.get("name"),
        found.get("arguments", found.get("parameters", {})),
    )
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    call_id = "call_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
    return ToolCall(FunctionCall(name, arguments, index), call_id)
