"""Region: the inside of a run of calls, read as it arrives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from .brackets import Brackets
from .formats import Calls, Style
from .python_calls import read_python
from .spelling import (
    Call,
    Tools,
    read_gemma,
    read_headed,
    read_json,
    read_tagged,
    sendable,
)

_SEPARATORS = " \t\r\n[],;"
_CALL_KEYS = ("name", "parameters", "arguments", "type", "function", "id")
_FIRST_KEY = re.compile(r'\{\s*"([^"]*)("?)')
_NAMED = re.compile(r'\{\s*"name"\s*:\s*"([^"\\]*)"')
_MAX_HEAD = 512  # characters that may come before a call's arguments


class Verdict(Enum):
    """What a look at the text came to."""

    CALLS = auto()  # calls are whole
    MORE = auto()  # more text is needed
    OVER = auto()  # the region has ended
    BAD = auto()  # this is not what its format says


@dataclass(frozen=True, slots=True)
class Step:
    """A verdict, the calls, and the text that is still to be read."""

    verdict: Verdict
    rest: str = ""
    calls: list[Call] = field(default_factory=list)


_MORE, _BAD = Step(Verdict.MORE), Step(Verdict.BAD)


class Region:
    """Reads what follows a start tag; `name` is the function's where a header has told it."""

    def __init__(self, calls: Calls, tools: Tools, *, name: str = "") -> None:
        self._calls = calls
        self._tools = tools
        self._name = name
        self._num_calls = 0
        self._brackets: Brackets | None = None
        self._searched = 0
        self._read: Callable[[str, bool], Step] = {
            Style.JSON: self._read_json,
            Style.HEADED: self._read_headed,
            Style.TAGGED: self._read_tagged,
            Style.PYTHON: self._read_python,
            Style.GEMMA: self._read_gemma,
        }[calls.style]

    def read(self, text: str, *, last: bool = False) -> Step:
        """The next step; `text` begins where the last one ended, and `last` says that nothing follows."""
        body = self._skipped(text)
        end, first = self._calls.end, self._calls.each[0]
        if end and body.startswith(end):
            return self._over(body.removeprefix(end))
        if (
            not body
            or (body != end and end.startswith(body))
            or _may_become(body, first)
        ):
            return self._over("") if last else _MORE
        if body.startswith("{") and not self._name:
            step = self._read_json(
                body, last
            )  # as some write whatever their template says
        elif body.startswith(first) and not self._is_single:
            step = self._read(body.removeprefix(first), last)
        else:
            return self._over(body)
        if step.verdict is Verdict.CALLS:
            step = _sendable(step)
            self._num_calls += len(step.calls)
            self._brackets, self._searched = None, 0
        return _BAD if last and step.verdict is Verdict.MORE else step

    @property
    def _is_single(self) -> bool:
        """Whether its one call has been read, and what follows is something else."""
        calls = self._calls
        return (
            bool(self._num_calls) and not calls.each[0] and calls.style is Style.HEADED
        )

    def _skipped(self, text: str) -> str:
        """The text without what stands between calls."""
        if self._calls.style is Style.JSON:
            return text.lstrip(_SEPARATORS)
        text = text.lstrip()
        for tag in self._tags_between():
            text = text.removeprefix(tag).lstrip()
            if _may_become(text, tag):
                return ""
        return text

    def _tags_between(self) -> list[str]:
        """What may stand before the next call beside blanks: a start tag after a header, end tags after calls."""
        calls = self._calls
        tags = ("```", calls.each[1]) if self._num_calls else (calls.start,)
        return list(filter(None, tags)) if self._num_calls or self._name else []

    def _over(self, rest: str) -> Step:
        return Step(Verdict.OVER, rest) if self._num_calls else _BAD

    def _value(self, text: str, start: int, *, single: bool = False) -> int | None:
        if self._brackets is None:
            self._brackets = Brackets(start, single=single)
        return self._brackets.end(text)

    def _read_json(self, text: str, _last: bool) -> Step:
        if not text.startswith("{"):
            return self._over(text)
        if self._calls.leads and not self._may_lead(text):
            return _BAD
        end = self._value(text, 0)
        if end is None:
            return _MORE
        return _step(read_json(text[:end], self._tools), text[end:])

    def _may_lead(self, text: str) -> bool:
        """Whether an object may still be a call: by its first key, and by the name once that is there."""
        key = _FIRST_KEY.match(text)
        if key is None:
            return not text[1:].strip()
        if not key[2]:
            return any(word.startswith(key[1]) for word in _CALL_KEYS)
        if name := _NAMED.match(text):
            return name[1] in self._tools.schemas
        return key[1] in _CALL_KEYS

    def _read_headed(self, text: str, _last: bool) -> Step:
        start = text.find("{")
        if start < 0:
            return _MORE if len(text) < _MAX_HEAD else _BAD
        end = self._value(text, start)
        if end is None:
            return _MORE
        call = read_headed(self._calls, text[:start], text[start:end], self._name)
        return _step(call, text[end:])

    def _read_tagged(self, text: str, _last: bool) -> Step:
        tag = self._calls.each[1]
        at = self._find(text, tag or self._calls.end)
        if at < 0:
            return _MORE
        call = read_tagged(self._calls, text[:at], self._tools)
        return _step(call, text[at:].removeprefix(tag))

    def _read_gemma(self, text: str, _last: bool) -> Step:
        at = self._find(text, self._calls.end)
        return _MORE if at < 0 else _step(read_gemma(self._calls, text[:at]), text[at:])

    def _read_python(self, text: str, last: bool) -> Step:
        if text.startswith("{"):
            return self._read_json(text, last)
        at: int | None
        if self._calls.end:
            at = self._find(text, self._calls.end)
        elif text.startswith("["):
            at = self._value(text, 0, single=True)
        else:
            at = len(text) if last else None
        if at is None or at < 0:
            return _MORE
        calls = read_python(text[:at])
        return _BAD if calls is None else Step(Verdict.CALLS, text[at:], calls)

    def _find(self, text: str, tag: str) -> int:
        at = text.find(tag, self._searched)
        self._searched = max(0, len(text) - len(tag))
        return at


def _step(call: Call | None, rest: str) -> Step:
    return _BAD if call is None else Step(Verdict.CALLS, rest, [call])


def _sendable(step: Step) -> Step:
    calls = [sendable(call) for call in step.calls]
    whole = [call for call in calls if call is not None]
    return replace(step, calls=whole) if len(whole) == len(calls) else _BAD


def _may_become(text: str, tag: str) -> bool:
    return len(text) < len(tag) and tag.startswith(text)
