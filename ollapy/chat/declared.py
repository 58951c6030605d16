"""What types a tool's schema declares, and texts as values of them. What is not as it should be counts as absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

_OF_CONSTANTS = {str: "string", bool: "boolean", int: "integer", float: "number"}


def typed(text: str, types: frozenset[str]) -> Any:
    """What was written as plain text, as one of the types that are declared.

    Of several types the first that fits, strings last; without a declaration what looks like JSON is.
    """
    if types and types <= {"string"}:
        return text
    value = json_value(text.strip())
    if value is not None and (not types or _fits(value, types)):
        return value
    if text.strip() in ("null", "None") and (not types or "null" in types):
        return None
    if "boolean" in types and text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    return text


def json_value(text: str) -> Any:
    """A JSON value; raw line breaks in strings are taken too, as models write them. None for what is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def declared_types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that a schema allows, its alternatives' among them; none where it says nothing."""
    given = schema.get("type")
    types = {t for t in [given, *_listed(given)] if isinstance(t, str)}
    for key in ("anyOf", "oneOf"):
        for other in _listed(schema.get(key)):
            types |= declared_types(mapping(other))
    constants = [schema.get("const"), *_listed(schema.get("enum"))]
    if not types:
        types = {_OF_CONSTANTS[type(c)] for c in constants if type(c) in _OF_CONSTANTS}
    return frozenset(types)


def member(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What is there under a key, where it is an object."""
    return mapping(value.get(key))


def mapping(value: object) -> Mapping[str, Any]:
    """The value, where it is an object."""
    return value if isinstance(value, dict) else {}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _fits(value: Any, types: frozenset[str]) -> bool:
    match value:
        case bool():
            return "boolean" in types
        case int():
            return bool(types & {"integer", "number"})
        case float():
            return "number" in types
        case str():
            return "string" in types
        case list():
            return "array" in types
    return "object" in types
