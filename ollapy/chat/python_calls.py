"""Calls that are written as Python's: literals only, nothing is run. Names may be any that tools have."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from .spelling import MAX_DEPTH, Call

_MAX_TEXT = 256 << 10  # characters
_OPENING = re.compile(r"[\s,]*([^\s()\[\]{},=:'\"]+)\s*\(\s*")
_KEY = re.compile(r"([^\s()\[\]{},=:'\"]+)\s*=\s*")
_NEXT = re.compile(r"\s*(?:,\s*(\))?|(\)))\s*")
_TOKEN = re.compile(
    r"'''(?s:.*?)'''|\"\"\"(?s:.*?)\"\"\"|'(?:\\(?s:.)|[^'\\])*'|\"(?:\\(?s:.)|[^\"\\])*\"|[^'\"()\[\]{},]+|(?s:.)"
)
_NAMED = {"true": True, "false": False, "null": None}


def read_python(text: str) -> list[Call] | None:
    """`[f(a='x'), g()]`, or calls one a line; None where it is neither."""
    text = text.strip()
    if len(text) > _MAX_TEXT or _depth(text) > MAX_DEPTH:
        return None
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].rstrip().removesuffix(",")
    try:
        with warnings.catch_warnings():  # about escapes that there are not
            warnings.simplefilter("ignore")
            return _calls(text) or None
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return None


def _calls(text: str) -> list[Call]:
    found, at = [], 0
    while at < len(text):
        call, at = _call(text, at)
        found.append(call)
    return found


def _call(text: str, at: int) -> tuple[Call, int]:
    """The call that begins there, and where it ends."""
    opening = _match(_OPENING, text, at)
    name, at, arguments = opening[1], opening.end(), {}
    is_over = text.startswith(")", at)
    at += is_over
    while not is_over:
        key = _match(_KEY, text, at)
        end = _end_of_value(text, key.end())
        arguments[key[1]] = _literal(text[key.end() : end].strip())
        following = _match(_NEXT, text, end)
        at, is_over = following.end(), bool(following[1] or following[2])
    # brave_search.call(query="…")
    return Call(name.removesuffix(".call"), arguments), at


def _match(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str]:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError("not a call by keywords")
    return found


def _end_of_value(text: str, at: int) -> int:
    """Where the comma or bracket is that follows a value."""
    depth = 0
    for token in _TOKEN.finditer(text, at):
        if not depth and token[0] in (",", ")"):
            return token.start()
        depth += (token[0] in ("(", "[", "{")) - (token[0] in (")", "]", "}"))
    raise ValueError("a call without an end")


class _Json(ast.NodeTransformer):
    """Puts Python's constants for what JSON calls them."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in _NAMED:
            raise ValueError(f"no literal: {node.id}")
        return ast.Constant(_NAMED[node.id])


def _literal(text: str) -> Any:
    return ast.literal_eval(_Json().visit(ast.parse(text, mode="eval").body))


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in re.findall(r"[\[\](){}]", text):
        depth += 1 if character in "[({" else -1
        deepest = max(deepest, depth)
    return deepest
