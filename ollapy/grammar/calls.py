"""Rules by which an answer's tool calls are of the tools that there are, spelled as the model's template does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ollapy.chat.formats import Calls, Style
from ollapy.chat.sample import Part, Piece, Sample

from .notations import notation_of
from .text import SPACE, after_tag, escaped, quoted, spelled
from .values import Values, either

_ANY_TEXT = "/(?s:.*)/"
_BRACKETS = re.compile(r"[\s\"}\])]*")


@dataclass(frozen=True, slots=True)
class Function:
    """A tool: its name, and the prepared schema of its arguments; `is_strict` where all of that must be enforced."""

    name: str
    parameters: dict[str, Any]
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class Calling:
    """What calls an answer may or must have, in the model's form and as its template spells them.

    `ends` are the texts that end a turn, `before` is what an answer begins with that is a call. Where the prompt
    has begun a header, `text` is what text begins with.
    """

    sample: Sample
    form: Calls
    ends: tuple[str, ...] = ()
    functions: tuple[Function, ...] = ()
    is_required: bool = False
    is_parallel: bool = True
    before: tuple[Piece, ...] = ()
    text: str = ""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags around which there may be blanks: those of runs, and the ends of calls; none in headers."""
        return () if self.text else (self.form.start, self.form.end, self.form.each[1])

    @property
    def opening(self) -> str:
        """What every run of calls begins with, its marker first."""
        lead = self.sample.lead
        return lead[lead.find(self.form.start) :]

    @property
    def closing(self) -> str:
        """What ends it, as far as the model has to say it: its end tag, or that of its last call, or brackets."""
        tail = _before(self.sample.tail, self.ends)
        for tag in filter(None, (self.form.end, self.form.each[1])):
            before, found, _ = tail.partition(tag)
            if found:
                return before + tag
        brackets = _BRACKETS.match(tail)
        return brackets[0].rstrip() if brackets else ""

    @property
    def between(self) -> str | None:
        """What leads from one call to the next; None where there may be one only."""
        between = self.sample.between
        if between is None or not self.is_parallel:
            return None
        return between if _before(between, self.ends) == between else None


def _before(text: str, ends: Iterable[str]) -> str:
    for end in ends:
        text = text.partition(end)[0]
    return text


def call_rules(calling: Calling) -> list[str]:
    """`run`, one call or several from the opening to the closing, and `rest`, the same without its marker."""
    start, tags = calling.form.start, calling.tags
    rest = spelled(calling.opening.removeprefix(start), tags)
    blanks = after_tag(start) if tags else []
    opened = " ".join([*blanks, rest.removeprefix(SPACE)])
    following = f" ({_between(calling)} call)*" if calling.between else ""
    closing = spelled(calling.closing.rstrip(), tags).removesuffix(SPACE)
    body = f"call{following} {closing}"
    names = [f"call_{number}" for number in range(len(calling.functions))]
    return [
        f"run: {_before_call(calling)} rest",
        f"rest: {opened} {body}",
        f"call: {' | '.join(names)}",
        *(
            rule
            for name, function in zip(names, calling.functions, strict=True)
            for rule in _function_rules(name, function, calling)
        ),
    ]


def _before_call(calling: Calling) -> str:
    """What a run begins with; of several tools the header may be any one's, as the call says itself whose it is."""
    if calling.text:
        return ""
    names = either(quoted(function.name) for function in calling.functions)
    items = [
        names if part is Part.NAME else quoted(words) for part, words in calling.before
    ]
    return " ".join([*items, quoted(calling.form.start)])


def _between(calling: Calling) -> str:
    """Between two calls of Python's there must be what keeps them apart."""
    between = calling.between or ""
    is_python = calling.form.style is Style.PYTHON
    return quoted(between) if is_python else spelled(between, calling.tags)


def free_rules(calling: Calling, opened: str) -> list[str]:
    """`answer`: text, with calls in it.

    With `opened`, the tag that opens a thought, also `first`: an answer that does not begin with it.
    """
    if calling.text:
        return _headed_rules(calling)
    if calling.form.leads:
        return _leading_rules(calling, opened)
    again = "(head rest)* text" if calling.is_parallel else ""
    marker, unopened = quoted(calling.form.start), _not_opened(opened)
    rules = [
        f"answer: {again or 'text | head rest'}",
        f"head[lazy]: TEXT {marker}",
        "text: TEXT",
        f"TEXT: {_ANY_TEXT}",
    ]
    if opened:
        rules += [
            f"first: first_text | first_head rest {again}",
            f"first_head[lazy]: FIRST {marker}",
            "first_text: FIRST",
            f"FIRST: {_ANY_TEXT}{unopened}",
        ]
    return rules


def _headed_rules(calling: Calling) -> list[str]:
    """The same where each message has a header, the first of which has begun. Other words after its mark are text."""
    text, mark = escaped(calling.text), escaped(calling.form.start)
    again = f"({quoted(calling.form.start)} answer)?" if calling.is_parallel else ""
    other = r"[^a-zA-Z0-9_.\-](?s:.*)"
    return [
        f"answer: call {again} | text | head after",
        f"text: /{text}(?s:.*)/",
        f"head[lazy]: /{text}(?s:.*){mark}/",
        "after: answer | other | other_head after",
        f"other: /{other}/",
        f"other_head[lazy]: /{other}{mark}/",
    ]


def _leading_rules(calling: Calling, opened: str) -> list[str]:
    """The same where calls are no calls but at the beginning: other text does not begin as they do."""
    other = rf"/(\s*[^\s{escaped(calling.form.start[0])}](?s:.*))?/"
    rules = ["answer: run | text", "text: TEXT", f"TEXT: {other}"]
    if opened:
        unopened = f"FIRST: {other}{_not_opened(opened)}"
        rules += ["first: run | first_text", "first_text: FIRST", unopened]
    return rules


def _not_opened(opened: str) -> str:
    return rf" & ~/\s*{escaped(opened)}(?s:.*)/"


def _function_rules(name: str, function: Function, calling: Calling) -> list[str]:
    values = notation_of(name, function.parameters, calling.sample, calling.form)
    pieces = [_piece(piece, function, calling, values) for piece in calling.sample.unit]
    return [f"{name}: {' '.join(pieces)}", *(values.rules if values else [])]


def _piece(
    piece: Piece, function: Function, calling: Calling, values: Values | None
) -> str:
    match piece:
        case (Part.NAME, _):
            return quoted(function.name)
        case (Part.ID, sample):
            return _id(sample)
        case (Part.PATTERN, pattern):
            return f"/{pattern}/"
        case (Part.ARGUMENTS, _) if values:
            is_sorted = calling.sample.is_sorted
            return values.arguments(function.parameters, is_sorted=is_sorted)
        case (Part.ARGUMENTS, _):
            return f"%json {json.dumps(function.parameters)}"
    return quoted(piece[1]) if calling.text else spelled(piece[1], calling.tags)


def _id(sample: str) -> str:
    """An id like the one that the template was given: a number, or of as many letters where it may have no others."""
    if sample.isdecimal():
        return "/[0-9]{1,4}/"
    size = len(sample)
    return f"/[a-zA-Z0-9]{{{size}}}/" if sample.isalnum() else "/[a-zA-Z0-9_-]{1,64}/"
