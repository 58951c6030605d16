"""Parser: a model's text, as it arrives, to content, thinking and tool calls in the order of the text."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from ollapy.api.ollama import FunctionCall, Tool, ToolCall
from ollapy.markers import split

from .formats import Calls, Format, Style
from .region import Region, Step, Verdict
from .spelling import Call, Tools

_ID_LETTERS = string.ascii_lowercase + string.digits
_ARGUMENTS = Calls(start="", style=Style.HEADED, head=r"\s*")
_FAILED = (
    "a tool call was not written as the model's format says, its text is in the content"
)


class _State(Enum):
    START = auto()  # only blanks so far: a thought may still begin
    THINKING = auto()
    AFTER = auto()  # blanks between a thought or a call and what follows
    CONTENT = auto()
    HEADER = auto()
    CALLS = auto()


@dataclass(slots=True)
class Parsed:
    """What a piece of text came to: thinking, then content, then calls."""

    content: str = ""
    thinking: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)


class Parser:
    """Holds text back only while it may be the beginning of a tag, and calls until they are whole.

    `opening` is what the prompt ends in after the last message, `prefill` what the answer goes on from. Only
    what comes first can be a thought, and blanks around it belong to its tags. What looks like a call and
    is none comes out as text, tags and all, and `error` says so. Without `tools` nothing is a call.
    """

    def __init__(
        self,
        form: Format,
        *,
        tools: Sequence[Tool] = (),
        opening: str = "",
        prefill: str = "",
    ) -> None:
        self.error = ""
        self._format = form
        self._tools = Tools.of(tools)
        self._calls = {c.start: c for c in reversed(form.calls)} if tools else {}
        self._markers = self._find_markers()
        self._state = _State.START
        self._pending = ""
        self._num_calls = 0
        self._thought = False  # whether any of the thought has been let out
        self._out: list[Parsed] = []
        self._takes = {
            _State.START: self._take_start,
            _State.THINKING: self._take_thinking,
            _State.AFTER: self._take_after,
            _State.CONTENT: self._take_content,
            _State.HEADER: self._take_header,
            _State.CALLS: self._take_calls,
        }
        self._open(opening, prefill)

    @property
    def is_thinking(self) -> bool:
        """Whether the text so far ends inside a thought."""
        return self._state is _State.THINKING

    @property
    def may_think(self) -> bool:
        """Whether a thought may follow: nothing has been said."""
        return self._state in (_State.START, _State.HEADER)

    def feed(self, text: str) -> list[Parsed]:
        """What is certain now, in order; empty where nothing is."""
        self._out = []
        self._pending += text
        while (state := self._takes[self._state]()) is not None:
            self._state = state
        return self._out

    def finish(self) -> list[Parsed]:
        """What was held back, now that nothing follows."""
        self._out = []
        if self._state is _State.CALLS:
            self._finish_calls()
        held, self._pending = self._pending[self._opened :], ""
        if self._state is _State.THINKING:
            self._think(held.rstrip())
        else:
            self._say(held)
        return self._out

    def _find_markers(self) -> dict[_State, tuple[str, ...]]:
        form = self._format
        starts = form.headers.starts if form.headers else ()
        closes = form.headers.closes if form.headers else ()
        end = form.thought[1:] if form.thought else ()
        calls = tuple(start for start, c in self._calls.items() if not c.leads)
        return {
            _State.THINKING: (*end, *closes, *(calls if form.thought else ())),
            _State.CONTENT: (*form.dropped, *starts, *closes, *calls),
        }

    def _open(self, opening: str, prefill: str) -> None:
        """Begin in the state that the prompt ends in."""
        self._opened = 0  # characters pending that are the prompt's
        self._state = self._opening_state(opening)
        if prefill:
            self.feed(prefill)
        if self._state is not _State.HEADER:
            self._pending = ""
        self._out, self._opened, self._num_calls = [], len(self._pending), 0

    def _opening_state(self, opening: str) -> _State:
        if (headers := self._format.headers) is not None:
            at = max(opening.rfind(start) for start in headers.starts)
            if at >= 0 and opening.rfind(headers.end) < at:
                self._pending = opening[at:]
                return _State.HEADER
        if self._format.thought:
            first, last = map(opening.rfind, self._format.thought)
            if max(first, last) >= 0:
                return _State.THINKING if first > last else _State.AFTER
        return _State.START

    # Each of these takes what it can from the pending text and returns the state that goes on with
    # the rest, or None when more text is needed.

    def _take_start(self) -> _State | None:
        text = self._pending.lstrip()
        if not text:
            return None
        if (thought := self._format.thought) is not None:
            if text.startswith(thought[0]):
                self._pending = text.removeprefix(thought[0])
                self._thought = False
                return _State.THINKING
            if thought[0].startswith(text):
                return None
        return self._lead(text)

    def _take_thinking(self) -> _State | None:
        if not self._thought and self._opens_again():
            return None
        text, tag, rest = split(self._pending, self._markers[_State.THINKING])
        body = text.rstrip()
        self._think(body if self._thought else body.lstrip())
        self._pending = rest if tag else text[len(body) :] + rest
        if tag in self._calls:
            region = Region(self._calls[tag], self._tools)
            return self._enter(region, text[len(body) :] + tag)
        return _State.AFTER if tag else None

    def _opens_again(self) -> bool:
        """Leave out start tags that are said although the prompt has one; whether one may still come."""
        start = self._format.thought[0] if self._format.thought else ""
        text = self._pending.lstrip()
        while start and text.startswith(start):
            self._pending = text = text.removeprefix(start).lstrip()
        return bool(text) and len(text) < len(start) and start.startswith(text)

    def _take_after(self) -> _State | None:
        self._pending = text = self._pending.lstrip()
        end = self._format.thought[1] if self._format.thought else ""
        if end and text.startswith(end):  # said once more
            self._pending = text.removeprefix(end)
            return _State.AFTER
        return self._lead(text) if text and not end.startswith(text) else None

    def _lead(self, text: str) -> _State:
        """What begins where an answer does: calls of a form that is one only there, or content."""
        for start, calls in self._calls.items():
            if calls.leads and text.startswith(start):
                self._pending = text  # its first bracket is part of it
                return self._enter(Region(calls, self._tools), "", leads=True)
        return _State.CONTENT

    def _take_content(self) -> _State | None:
        text, tag, self._pending = split(self._pending, self._markers[_State.CONTENT])
        self._say(text)
        if tag is None:
            return None
        if tag in self._calls:
            return self._enter(Region(self._calls[tag], self._tools), tag)
        if (headers := self._format.headers) and tag in headers.starts:
            self._pending = tag + self._pending
            return _State.HEADER
        return _State.START if tag in self._format.dropped else _State.CONTENT

    def _take_header(self) -> _State | None:
        headers = self._format.headers
        assert headers is not None
        head, end, rest = self._pending.partition(headers.end)
        if not end:
            return None
        self._pending, self._opened = rest, 0
        found = re.search(headers.call, head)
        if found and self._tools.schemas:
            calls = headers.calls or _ARGUMENTS
            region = Region(calls, self._tools, name=found["name"])
            return self._enter(region, "", header=True)
        if headers.thinking and re.search(headers.thinking, head):
            self._thought = False
            return _State.THINKING
        if not re.search(headers.text, head):
            self._say(head + end)
        return _State.CONTENT

    def _enter(
        self, region: Region, tag: str, *, leads: bool = False, header: bool = False
    ) -> _State:
        self._region = region
        self._raw = tag  # what is told as text should it be no call
        self._leads, self._header = leads, header
        self._outer = self._state
        return _State.CALLS

    def _take_calls(self) -> _State | None:
        return self._on_step(self._region.read(self._pending))

    def _finish_calls(self) -> None:
        """Take the calls that are whole, and go back to the text for the rest."""
        while self._state is _State.CALLS:
            step = self._region.read(self._pending, last=True)
            self._state = self._on_step(step) or _State.CONTENT
        self._finish_text()

    def _finish_text(self) -> None:
        while (state := self._takes[self._state]()) is not None:
            self._state = state
            if state is _State.CALLS:
                self._finish_calls()
                return

    def _on_step(self, step: Step) -> _State | None:
        if step.verdict is Verdict.MORE:
            return None
        if step.verdict is Verdict.BAD or not self._are_known(step.calls):
            return self._give_up()
        self._raw += self._pending[: len(self._pending) - len(step.rest)]
        self._pending = step.rest
        if step.verdict is Verdict.OVER:
            return _State.CONTENT if self._header else _State.AFTER
        for call in step.calls:
            self._call(call)
        self._raw = ""
        return _State.CALLS

    def _are_known(self, calls: list[Call]) -> bool:
        """Whether calls are of tools that there are, where that is how they are told from text."""
        must_be = self._leads or self._outer is _State.THINKING
        return not must_be or all(call.name in self._tools.schemas for call in calls)

    def _give_up(self) -> _State:
        """It was no call: what led to it is text, and what follows may be anything again."""
        thinking = self._outer is _State.THINKING
        if not thinking and not self._leads:
            self.error = _FAILED
        text = self._raw
        if self._leads:  # the bracket that began it must not do so again
            text, self._pending = self._pending[:1], self._pending[1:]
        (self._think if thinking else self._say)(text)
        return _State.THINKING if thinking else _State.CONTENT

    def _think(self, text: str) -> None:
        if text:
            self._thought = True
            if not self._out or self._out[-1].content or self._out[-1].tool_calls:
                self._out.append(Parsed())
            self._out[-1].thinking += text

    def _say(self, text: str) -> None:
        if text:
            if not self._out or self._out[-1].tool_calls:
                self._out.append(Parsed())
            self._out[-1].content += text

    def _call(self, call: Call) -> None:
        if not self._out:
            self._out.append(Parsed())
        function = FunctionCall(call.name, call.arguments, self._num_calls)
        self._out[-1].tool_calls.append(ToolCall(function, call.id or _new_id()))
        self._num_calls += 1


def _new_id() -> str:
    return "call_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
