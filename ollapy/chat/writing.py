"""Writing: how a model writes thoughts and calls, as its template's renderings show."""

from __future__ import annotations

import re

import msgspec

from .brackets import Brackets
from .formats import CALLS, DROPPED, HEADERS, LLAMA_TAG, THOUGHTS, Calls, Format, Pair
from .parser import Parser
from .probes import (
    ANSWER,
    ARGUMENTS,
    THOUGHT,
    TOOL,
    TOOLS,
    Probes,
    after_user,
    message,
    user,
)
from .spelling import Tools, read_json

_TAG = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")


def find_format(
    probes: Probes, openings: list[str], echoes: list[str], turn: str, told: str
) -> Format:
    """The format of a model.

    `echoes` are renderings of thoughts, `turn` is one of a call, empty for none, and `told` a prompt after
    which it is to think.
    """
    for headers in HEADERS:
        form = Format(headers=headers)
        if turn and _reads(form, turn):
            return form
    thought = _find_thought(probes, openings, echoes)
    answered = probes.text(user(), message("assistant", ANSWER), opening=False) or ""
    tails = "\n".join([turn, *map(after_user, (answered, *echoes))])
    new = (d for d in DROPPED if d in told and d not in probes.plain)
    dropped = tuple(dict.fromkeys([*(d for d in DROPPED if d in tails), *new]))
    form = Format(thought=thought, dropped=dropped)
    return msgspec.structs.replace(form, calls=_find_calls(probes, form, turn))


def _find_thought(
    probes: Probes, openings: list[str], echoes: list[str]
) -> Pair | None:
    seen = [*probes.seen]
    for pair in THOUGHTS:
        opens = any(text.rstrip().endswith(pair[0]) for text in openings)
        both = any(pair[0] in text and pair[1] in text for text in seen)
        if opens or both or _cuts(probes, pair[1]):
            return pair
    return next(filter(None, map(_tags_around, echoes)), None)


def _cuts(probes: Probes, end: str) -> bool:
    """Whether the template takes a thought out of an earlier answer."""
    answer = message("assistant", f"{THOUGHT}{end}{ANSWER}")
    text = probes.text(user(), answer, user()) or ""
    return ANSWER in text and THOUGHT not in text


def _find_calls(probes: Probes, form: Format, turn: str) -> tuple[Calls, ...]:
    if not turn:
        return _named_calls(probes)
    body = probes.answer_of(turn)
    for calls in CALLS:
        if _reads(msgspec.structs.replace(form, calls=(calls,)), body):
            return (calls, LLAMA_TAG) if calls.start == "{" else (calls,)
    learned = _learn_calls(body)
    return (learned,) if learned else ()


def _named_calls(probes: Probes) -> tuple[Calls, ...]:
    """The forms that the template's own words to the model name."""
    new = [c for c in CALLS if not c.leads and c.start not in probes.plain]
    named = [
        c
        for c in new
        if all(tag in probes.with_tools for tag in (c.start, c.end, c.each[0]))
    ]
    return tuple({c.start: c for c in reversed(named)}.values())


def _reads(form: Format, text: str) -> bool:
    """Whether a parser for the format finds in the text the call that was put there."""
    parser = Parser(form, tools=TOOLS)
    found = [*parser.feed(text), *parser.finish()]
    calls = [call.function for part in found for call in part.tool_calls]
    return [(c.name, c.arguments) for c in calls] == [(TOOL, ARGUMENTS)]


def _tags_around(text: str) -> Pair | None:
    """The tags around a thought that an answer follows."""
    before, _, after = text.rpartition(THOUGHT)
    start = re.search(r"\S+\s*$", before)
    end = _TAG.match(after.lstrip())
    if start and end and _TAG.search(start[0]) and ANSWER in after:
        return _TAG.findall(start[0])[-1], end[0]
    return None


def _learn_calls(turn: str) -> Calls | None:
    """The tags around a call that is a JSON object."""
    tools, name = Tools.of(TOOLS), turn.find(TOOL)
    for found in reversed(list(re.finditer(r"\{", turn[:name]))):
        end = Brackets(found.start()).end(turn)
        if end is not None and read_json(turn[found.start() : end], tools):
            before = turn[: found.start()].rstrip("[ \n").split("\n")[-1]
            after = _TAG.match(turn[end:].lstrip("] \n"))
            if start := _TAG.findall(before):
                closing = after[0] if after and after[0][1:2] in "/" else ""
                return Calls(start=start[-1], end=closing)
    return None
