"""Nesting: JSON that is deep or has very many parts, refused before memory and time go into it. Pure."""

from __future__ import annotations

import re

from ollapy.errors import InvalidRequest

MAX_DEPTH, MAX_CONTAINERS, MAX_FIELDS = 64, 200_000, 200_000
MAX_STRINGS, MAX_VALUES = 400_000, 1_000_000
# by what there is one of for each
_LIMITS = (
    (b"[{", MAX_CONTAINERS, "objects and lists"),
    (b":", MAX_FIELDS, "fields"),
    (b",", MAX_VALUES, "values"),
)
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_MARK = bytes(set(range(256)) - set(b"[]{}:,"))


def check(body: bytes) -> None:
    """InvalidRequest where the body has more in it, or in each other, than any request needs."""
    # what is in strings counts too; mostly that is all there is to do
    if _count(body, b"[{") <= MAX_DEPTH and not _excess(body):
        return
    # to look for strings costs time for each; an escaped backslash at an end hides its string from this count
    if body.count(b'"') - body.count(b'\\"') > 2 * MAX_STRINGS:
        raise InvalidRequest(f"the request body has more than {MAX_STRINGS} strings")
    marks = _STRING.sub(b"", body).translate(None, _NO_MARK)
    if excess := _excess(marks):
        raise InvalidRequest(f"the request body has more than {excess}")
    _check_depth(marks.translate(None, b":,"))


def _count(text: bytes, marks: bytes) -> int:
    return sum(text.count(mark) for mark in marks)


def _excess(text: bytes) -> str:
    """Which limit it is above, in words; empty where it is above none."""
    for marks, most, what in _LIMITS:
        if _count(text, marks) > most:
            return f"{most} {what}"
    return ""


def _check_depth(brackets: bytes) -> None:
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidRequest(
                f"the request body is nested more than {MAX_DEPTH} levels deep"
            )
