"""The text of a call to its name and arguments, in JSON and in tags. None where it is not one; never an error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ollapy.api.ollama import Tool

from .declared import declared_types, json_value, mapping, member, typed
from .elements import read_elements, value_of
from .formats import Calls

_NAMES = ("name", "tool_name")
_ARGUMENTS = ("arguments", "parameters", "args")
_IDS = ("id", "tool_call_id")
MAX_DEPTH = 64  # levels of lists and objects


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the model wrote it; `id` only where it gave one."""

    name: str
    arguments: dict[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools that a request gives, by name, and what is declared of their arguments."""

    schemas: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    @classmethod
    def of(cls, tools: Iterable[Tool]) -> Tools:
        """Whatever is not as it should be counts as absent."""
        functions = [mapping(tool.get("function", tool)) for tool in tools]
        return cls(
            {
                name: _properties(f)
                for f in functions
                if isinstance(name := f.get("name"), str)
            }
        )

    def schema(self, function: str, argument: str) -> Mapping[str, Any]:
        """What is declared of an argument."""
        return self.schemas.get(function, {}).get(argument, {})

    def value(self, function: str, argument: str, text: str) -> Any:
        """An argument that was written as plain text, as the type that its tool declares."""
        return typed(text, declared_types(self.schema(function, argument)))


def sendable(call: Call) -> Call | None:
    """The call in values that every reader of JSON takes; None where there is another, or too many levels of them."""
    try:
        arguments = {_text(k): _plain(v, 0) for k, v in call.arguments.items()}
        return Call(_text(call.name), arguments, _text(call.id))
    except (TypeError, OverflowError):
        return None


def _plain(value: object, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise TypeError("too many levels")
    match value:
        case str():
            return _text(value)
        case None | bool():
            return value
        case int():  # of more than 64 bits it is what other languages make of it
            return value if -(2**63) <= value < 2**64 else float(value)
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [_plain(item, depth + 1) for item in value]
        case dict():
            return {_text(k): _plain(v, depth + 1) for k, v in value.items()}
    raise TypeError(f"no JSON: {type(value).__name__}")


def _text(value: object) -> str:
    """A text without halves of characters."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def read_json(text: str, tools: Tools) -> Call | None:
    """`{"name": …, "arguments": {…}}`, in the words of any family, or `{"f": {…}}` of a tool that was given."""
    found = json_value(text)
    if not isinstance(found, dict):
        return None
    inner = found.get("function")
    if isinstance(inner, dict):
        found = {**found, **inner}
    name = _first(found, _NAMES) or (inner if isinstance(inner, str) else None)
    arguments = _first(found, _ARGUMENTS)
    if name is None and len(found) == 1:
        [(name, arguments)] = found.items()
        if name not in tools.schemas:
            return None
    if isinstance(arguments, str):
        arguments = json_value(arguments) if arguments.strip() else {}
    arguments = {} if arguments is None else arguments
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return None
    given = _first(found, _IDS)
    return Call(name, arguments, given if isinstance(given, str) else "")


def read_headed(calls: Calls, head: str, body: str, name: str = "") -> Call | None:
    """A name, unless it is known from elsewhere, and a JSON object."""
    found = _compiled(calls.head).fullmatch(head)
    arguments = json_value(body)
    if found is None or not isinstance(arguments, dict):
        return None
    groups = found.groupdict()
    return Call(groups.get("name") or name, arguments, groups.get("id") or "")


def read_tagged(calls: Calls, text: str, tools: Tools) -> Call | None:
    """A name, then each argument in its tags; anything else between them makes it no call."""
    head = _compiled(calls.head).match(text)
    if head is None:
        return None
    if calls.item:
        return _read_nested(calls, head["name"], text[head.end() :], tools)
    name, arguments, at = head["name"], {}, head.end()
    for found in _compiled(calls.argument).finditer(text, at):
        if text[at : found.start()].strip():
            return None
        at = found.end()
        is_text = found.groupdict().get("text") is not None
        value = _unwrapped(found["value"])
        key = found["key"].strip()
        arguments[key] = value if is_text else tools.value(name, key, value)
    return None if text[at:].strip() else Call(name, arguments)


def _read_nested(calls: Calls, name: str, text: str, tools: Tools) -> Call | None:
    found = read_elements(text, calls.extra[0])
    if found is None:
        return None
    arguments = {
        element.name: value_of(element, tools.schema(name, element.name), calls.item)
        for element in found
    }
    return Call(name, arguments)


def read_gemma(calls: Calls, text: str) -> Call | None:
    """`call:f{a:<|"|>x<|"|>,n:3}`: JSON but for its quotes, and keys without any."""
    head = _compiled(calls.head).match(text)
    if head is None:
        return None
    arguments = json_value(_as_json(text[head.end() :].strip(), calls.extra[0]))
    return Call(head["name"], arguments) if isinstance(arguments, dict) else None


_KEY = re.compile(r"([{,]\s*)([^\s{}\[\]:,\"]+)(\s*:)")


def _as_json(text: str, quote: str) -> str:
    """Every second part between quotes is a string."""
    parts = text.split(quote)
    parts[1::2] = [json.dumps(part) for part in parts[1::2]]
    parts[0::2] = [_KEY.sub(r'\1"\2"\3', part) for part in parts[0::2]]
    return "".join(parts)


def _first(found: Mapping[str, Any], keys: Iterable[str]) -> Any:
    return next((found[key] for key in keys if key in found), None)


def _unwrapped(value: str) -> str:
    """Without the line breaks that belong to the tags."""
    return value.removeprefix("\n").removesuffix("\n")


def _properties(function: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    properties = member(member(function, "parameters"), "properties")
    return {str(key): mapping(schema) for key, schema in properties.items()}


_compiled = lru_cache(maxsize=256)(lambda pattern: re.compile(pattern, re.DOTALL))
