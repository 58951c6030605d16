"""Nesting: JSON that is deep or has very many parts, refused before memory is made of it. Pure."""

from __future__ import annotations

import re

from ollapy.errors import InvalidRequest

MAX_DEPTH, MAX_CONTAINERS = 64, 200_000
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


def check(body: bytes) -> None:
    """InvalidRequest where the body has more objects and lists, or in each other, than any request needs."""
    count = body.count(b"[") + body.count(b"{")
    if count <= MAX_DEPTH:  # those in strings too; mostly that is all there is to do
        return
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKET)
    if brackets.count(b"[") + brackets.count(b"{") > MAX_CONTAINERS:
        raise InvalidRequest(
            f"the request body has more than {MAX_CONTAINERS} objects and lists"
        )
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidRequest(
                f"the request body is nested more than {MAX_DEPTH} levels deep"
            )
