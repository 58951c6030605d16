"""The one error that a template ends with, parsed or run, and what it is made of."""

from __future__ import annotations

from ollapy.errors import InvalidRequest
from ollapy.text import clean

_MAX_SENTENCE = 400


class Refusal(Exception):
    """What a function says of arguments that it does not take."""


def template_error(line: int, problem: str) -> InvalidRequest:
    """A refusal with the line, counted from 1, where Go would see the problem."""
    if len(problem) > _MAX_SENTENCE:
        problem = f"{problem[:_MAX_SENTENCE]}…"
    return InvalidRequest(f"template error: line {line}: {clean(problem)}")
