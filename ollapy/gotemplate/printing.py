"""Values as Go prints them."""

from __future__ import annotations

from collections.abc import Sequence

from .floats import printed_float
from .json_text import json_text
from .text import encoded
from .values import JsonList, JsonMap, Struct, Words


def printed(value: object) -> str:
    """The value as `print` and `%v` have it."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "<nil>"
        case int():
            return str(value)
        case float():
            return printed_float(value)
        case Struct() | JsonMap() | JsonList():
            return json_text(value)
        case Words() if len(value) < 2:
            return "".join(map(printed, value))
        case list():
            return f"[{' '.join(map(printed, value))}]"
        case dict():
            keys = sorted(value, key=encoded)
            return f"map[{' '.join(f'{key}:{printed(value[key])}' for key in keys)}]"
    raise TypeError(f"a template cannot have a {type(value).__name__}")


def print_parts(values: Sequence[object]) -> list[str]:
    """The texts that `print` puts together: a space stands between two values that are no strings."""
    parts: list[str] = []
    for i, value in enumerate(values):
        if i and not isinstance(value, str) and not isinstance(values[i - 1], str):
            parts.append(" ")
        parts.append(printed(value))
    return parts
