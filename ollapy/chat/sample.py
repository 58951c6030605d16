"""Sample: how a model writes its calls, word for word, taken from what its template makes of one and of two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from itertools import takewhile
from typing import Any

import msgspec


class Part(StrEnum):
    """What stands at a place of a call."""

    TEXT = "text"
    NAME = "name"
    ARGUMENTS = "arguments"
    ID = "id"
    PATTERN = "pattern"


# A call's own number, as some families count them.
_NUMBER = r'(?<=[:"])[0-9]+(?=[<"])'

# With the words of a text, of an id that stood there, or of a regular expression.
Piece = tuple[Part, str]


# Stands in what ends an argument for the argument's name, where that is said again.
_AGAIN = "{name}"


class Tags(msgspec.Struct, frozen=True):
    """Around each argument where they are no JSON object: before its name, before its value, after that.

    Before the value of a text may stand something else than before others'.
    """

    name: str
    text: str
    value: str
    end: str

    def end_of(self, name: str) -> str:
        """What ends the argument of that name."""
        return self.end.replace(_AGAIN, name)


class Sample(msgspec.Struct, frozen=True):
    """A run of calls: `lead`, a `unit` for each call with `between` two of them, and `tail`.

    `tail` goes on to the end of the turn. `between` is None where two calls are not written like one. With
    `is_sorted` arguments come in the order of their names.
    """

    lead: str
    unit: tuple[Piece, ...]
    between: str | None
    tail: str
    tags: Tags | None = None
    is_sorted: bool = False


class Probe(msgspec.Struct, frozen=True):
    """The call that a template was given: its name, two arguments, a text and a number, and the ids it may have."""

    name: str
    arguments: dict[str, Any]
    ids: tuple[str, ...] = ()


def take_sample(probe: Probe, one: str, two: str = "") -> Sample | None:
    """From a turn with the call and a turn with two of it; None where its parts cannot be made out."""
    found = _object(probe, one) or _inline(probe, one) or _tagged(probe, one)
    if found is None:
        return None
    arguments, tags = found
    pieces = _pieces(probe, arguments, one)
    places = [n for n, (part, _) in enumerate(pieces) if part is not Part.TEXT]
    parts = [pieces[n][0] for n in places]
    if parts.count(Part.NAME) == 0 or parts.count(Part.ARGUMENTS) != 1:
        return None
    start, end = places[0], places[-1] + 1
    lead, tail = _words(pieces[:start]), _words(pieces[end:])
    unit = tuple(pieces[start:end])
    several = _pieces(probe, arguments, two)
    between = _between(several, lead, unit, tail)
    is_sorted = arguments.startswith(min(probe.arguments))
    return Sample(lead, unit, between, tail, tags, is_sorted)


def _between(
    pieces: list[Piece], lead: str, unit: tuple[Piece, ...], tail: str
) -> str | None:
    """What stands between two calls, where all else is as it is with one."""
    size = len(unit)
    start = len([*takewhile(lambda piece: piece[0] is Part.TEXT, pieces)])
    first, rest = pieces[start : start + size], pieces[start + size :]
    middle = _words([*takewhile(lambda piece: piece[0] is Part.TEXT, rest)])
    second, after = rest[bool(middle) :][:size], rest[bool(middle) :][size:]
    is_alike = _kinds(first) == _kinds(second) == _kinds(unit)
    same = is_alike and _words(pieces[:start]) == lead and _words(after) == tail
    return middle if same else None


def _pieces(probe: Probe, arguments: str, text: str) -> list[Piece]:
    """A text cut at the call's parts."""
    kinds = {
        arguments: Part.ARGUMENTS,
        **dict.fromkeys(probe.ids, Part.ID),
        probe.name: Part.NAME,
    }
    cut = re.split(f"({'|'.join([*map(re.escape, kinds), _NUMBER])})", text)
    found = [(kinds.get(part) or _kind(part), part) for part in cut if part]
    return [
        (kind, part if kind in (Part.TEXT, Part.ID) else "") for kind, part in found
    ]


def _kind(part: str) -> Part:
    return Part.ID if part.isdecimal() else Part.TEXT


def _kinds(pieces: Iterable[Piece]) -> list[Piece]:
    """Without what ids are in a call and not in another."""
    return [(kind, "" if kind is Part.ID else words) for kind, words in pieces]


def _words(pieces: list[Piece]) -> str:
    return "".join(words for _, words in pieces)


def _object(probe: Probe, text: str) -> tuple[str, None] | None:
    """The arguments as a JSON object."""
    decoder = json.JSONDecoder()
    for found in re.finditer(r"\{", text):
        try:
            value, end = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        if value == probe.arguments:
            return text[found.start() : end], None
    return None


def _inline(probe: Probe, text: str) -> tuple[str, None] | None:
    """The arguments in brackets after the name, keys without quotes: what they are in without the brackets."""
    (key, value), (other, number) = probe.arguments.items()
    word = rf"{key}\s*[=:]\s*(\S{{1,8}}?){value}\2"
    count = rf"{other}\s*[=:]\s*{number}"
    for first, second in ((word, count), (count, word)):
        pattern = rf"{re.escape(probe.name)}\s*[({{]\s*({first}\s*,\s*{second})\s*[)}}]"
        if found := re.search(pattern, text):
            return found[1], None
    return None


def _tagged(probe: Probe, text: str) -> tuple[str, Tags] | None:
    """The arguments each in tags, all in the same ones."""
    (key, value), (other, number) = ((k, str(v)) for k, v in probe.arguments.items())
    pattern = "(.*?)".join(map(re.escape, (probe.name, key, value, other, number)))
    found = re.search(pattern, text, re.DOTALL)
    if found is None:
        return None
    before, middle, between, same = found.groups()
    name = _shared_end(before, between)
    end = between[: len(between) - len(name)]
    start = found.start(1) + len(before) - len(name)
    for ending in filter(None, (end, end.replace(key, _AGAIN))):
        tags = Tags(name, middle, same, ending)
        if name and text.startswith(tags.end_of(other), found.end()):
            return text[start : found.end() + len(tags.end_of(other))], tags
    return None


def _shared_end(one: str, other: str) -> str:
    pairs = zip(reversed(one), reversed(other), strict=False)
    size = len([*takewhile(lambda pair: pair[0] == pair[1], pairs)])
    return one[len(one) - size :]
