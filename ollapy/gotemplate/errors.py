"""The one error of a template, parsed or run."""

from __future__ import annotations

from ollapy.errors import InvalidRequest
from ollapy.text import clean

_MAX_SENTENCE = 400


def template_error(line: int, problem: str) -> InvalidRequest:
    """A refusal with the line, counted from 1, where Go would see the problem."""
    if len(problem) > _MAX_SENTENCE:
        problem = f"{problem[:_MAX_SENTENCE]}…"
    return InvalidRequest(f"template error: line {line}: {clean(problem)}")
