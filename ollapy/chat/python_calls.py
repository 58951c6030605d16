"""Calls that are written as Python's: literals only, nothing is run."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from .spelling import MAX_DEPTH, Call

_MAX_TEXT = 256 << 10  # characters
_NAMED = {"true": True, "false": False, "null": None}


def read_python(text: str) -> list[Call] | None:
    """`[f(a='x'), g()]`, or calls one a line; None where it is neither."""
    text = text.strip()
    if len(text) > _MAX_TEXT or _depth(text) > MAX_DEPTH:
        return None
    try:
        with warnings.catch_warnings():  # about escapes that there are not
            warnings.simplefilter("ignore")
            items = _items(text)
        found = [_call(item) for item in items]
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return None
    return found or None


def _items(text: str) -> list[ast.AST]:
    if text.startswith("["):
        return [*getattr(ast.parse(text, mode="eval").body, "elts", [])]
    return [getattr(line, "value", line) for line in ast.parse(text).body]


def _call(node: ast.AST) -> Call:
    if not isinstance(node, ast.Call) or node.args:
        raise TypeError("not a call by keywords")
    target = node.func
    if isinstance(target, ast.Attribute) and target.attr == "call":
        target = target.value  # brave_search.call(query="…")
    arguments = {str(k.arg): _literal(k.value) for k in node.keywords}
    return Call(ast.unparse(target), arguments)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):  # as JSON spells them
        if node.id not in _NAMED:
            raise ValueError(f"no literal: {node.id}")
        return _NAMED[node.id]
    return ast.literal_eval(node)


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in re.findall(r"[\[\](){}]", text):
        depth += 1 if character in "[({" else -1
        deepest = max(deepest, depth)
    return deepest
