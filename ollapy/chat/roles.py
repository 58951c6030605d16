"""Roles that a template does not know: what somebody of those says would be left out without a word."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from ollapy.api.ollama import Message
from ollapy.errors import InvalidRequest

_USUAL = {"system", "user", "assistant", "tool"}
# In place of what somebody says, to see whether a template shows it.
_MARK, _MARKS = "\ufdd0{}\ufdd1", re.compile("\ufdd0[0-9]+\ufdd1")


def check(messages: list[Message], render: Callable[[list[Message]], str]) -> None:
    """InvalidRequest where the template, which makes the text of messages, has no use for one of an unusual role."""
    unusual = [i for i, m in enumerate(messages) if m.role not in _USUAL]
    if not unusual:
        return
    marked = [*messages]
    for place in unusual:
        mark = _MARK.format(place)
        marked[place] = msgspec.structs.replace(messages[place], content=mark)
    shown = set(_MARKS.findall(render(marked)))
    for place in unusual:
        if _MARK.format(place) not in shown:
            raise InvalidRequest(
                f'the model\'s template has no role "{messages[place].role[:40]}", '
                "the usual ones are system, user, assistant and tool"
            )
