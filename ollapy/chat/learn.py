"""What a template can do and how its model writes, learned by rendering conversations and looking at what comes."""

from __future__ import annotations

from itertools import product
from typing import Any

import msgspec

from .probes import (
    ANSWER,
    ARGUMENTS,
    LONG_ID,
    SHORT_ID,
    SYSTEM,
    TOOL,
    TOOLS,
    USER,
    Probes,
    Template,
    after_user,
    message,
    user,
)
from .sample import Probe, Sample, take_sample
from .traits import Shape, Traits
from .writing import find_format

Variables = dict[str, Any]

# Ways of telling a template whether to think. The first is in common use, and harmless where it means nothing.
_SWITCHES: tuple[tuple[Variables, Variables], ...] = (
    (
        {"enable_thinking": True, "thinking": True},
        {"enable_thinking": False, "thinking": False, "thinking_budget": 0},
    ),
    ({"reasoning_effort": "high"}, {"reasoning_effort": "no_think"}),  # Hunyuan
    ({"reasoning": True}, {"reasoning": False}),  # Command
    ({"thinking_mode": "enabled"}, {"thinking_mode": "disabled"}),  # MiniMax
)


def learn(template: Template) -> Traits:
    """The traits of a template; what it refuses to render counts as what it cannot do."""
    probes = Probes(template)
    on, off = _find_switch(probes)
    openings = _find_openings(probes, (on, off))
    echoes = [probes.thinking(on, as_parts=flag) for flag in (False, True)]
    shape, turn = _find_shape(probes)
    told = probes.text(user(), **on) or ""
    form = find_format(probes, openings, [*filter(None, echoes)], turn, told)
    in_parts = bool(echoes[1]) and not echoes[0]
    return Traits(
        system=_takes_system(probes),
        tools=TOOL in probes.with_tools and TOOL not in probes.plain,
        thinking=form.thinks,
        on=on,
        off=off,
        writes_calls=bool(turn),
        shape=msgspec.structs.replace(
            shape, thought_parts=in_parts, content_parts=probes.takes_parts
        ),
        openings=openings,
        format=form,
        infill=_takes_gap(probes),
        sample=_find_sample(probes, shape, turn),
    )


def _takes_system(probes: Probes) -> bool:
    said = [
        probes.text(message("system", SYSTEM), user(), tools=tools)
        for tools in (None, TOOLS)
    ]
    return any(SYSTEM in text for text in said if text)


def _takes_gap(probes: Probes) -> bool:
    """Whether the template has a place for what comes before and after a gap."""
    text = probes.gap()
    return USER in text and ANSWER in text


def _find_switch(probes: Probes) -> tuple[Variables, Variables]:
    """What a prompt's end shows to have an effect, or for the first way any of its text."""
    for on, off in _SWITCHES:
        yes, no = probes.text(user(), **on), probes.text(user(), **off)
        if yes is None or no is None:
            continue
        is_first = (on, off) == _SWITCHES[0]
        if after_user(yes) != after_user(no) or (yes != no and is_first):
            return on, off
    return _SWITCHES[0]


def _find_openings(probes: Probes, switch: tuple[Variables, Variables]) -> list[str]:
    found = set()
    for tools, variables in product((None, TOOLS), ({}, *switch)):
        asked = probes.text(user(), tools=tools, **variables)
        told = probes.text(user(), tools=tools, opening=False, **variables)
        if asked and told:
            found.add(_tail(asked, told))
    return sorted(found - {""}, key=lambda text: -len(text))


def _tail(asked: str, told: str) -> str:
    """What a prompt has at its end that asks for an answer."""
    if asked.startswith(told) and asked != told:
        return asked[len(told) :]
    return after_user(asked)


def _find_shape(probes: Probes) -> tuple[Shape, str]:
    """The shape that has a call written, and the text after the user's with it; "" where none has."""
    for flags in product((False, True), repeat=3):
        shape = Shape(*flags)
        if turn := probes.calling(shape):
            is_single = probes.calling_twice(shape) is None
            return msgspec.structs.replace(shape, single_calls=is_single), turn
    return Shape(), ""


def _find_sample(probes: Probes, shape: Shape, turn: str) -> Sample | None:
    if not turn:
        return None
    turns = (turn, probes.calling_twice(shape) or "")
    probe = Probe(TOOL, ARGUMENTS, (LONG_ID, SHORT_ID))
    return take_sample(probe, *map(probes.answer_of, turns))
