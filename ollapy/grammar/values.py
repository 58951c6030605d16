"""Values: rules of the values of a tool's arguments, as a notation writes them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .alternatives import Schema, properties_of, required_of, resolved
from .text import quoted

_SHARED = ("$defs", "definitions", "x-guidance")

EMPTY = '""'


class Values(ABC):
    """Makes the rules of one tool's values; `rules` are those that what it returned needs.

    What is asked for with `end` is the value and that text after it.
    """

    separator = ""  # a rule's item, between two arguments

    def __init__(self, prefix: str, root: Schema) -> None:
        self.rules: list[str] = []
        self._prefix = prefix
        self._root = root
        self._recursive: set[str] = set()

    def value(self, schema: object, end: str = "") -> str:
        """What fits a schema; of what the notation cannot be held to, anything."""
        if not isinstance(schema, dict):
            return self.anything(end)
        if isinstance(path := schema.get("$ref"), str):
            return self._reference(path, end)
        if (constants := _constants(schema)) is not None:
            return either(self.constant(value, end) for value in constants)
        if listed := alternatives(schema):
            return self.choice(listed, end)
        return self._typed(schema, end)

    def choice(self, schemas: list[Any], end: str) -> str:
        """What fits one of several."""
        return either(self.value(schema, end) for schema in schemas)

    def json(self, schema: Any, end: str = "") -> str:
        """What fits a schema, written as JSON."""
        own = schema if isinstance(schema, dict) else {}
        shared = {key: self._root[key] for key in _SHARED if key in self._root}
        return f"%json {json.dumps({**own, **shared})} {quoted(end)}".rstrip()

    def boolean(self, end: str) -> str:
        """True or false."""
        return either(self.constant(value, end) for value in (True, False))

    def array(self, schema: Schema, end: str) -> str:
        """A list."""
        return self.json(schema, end)

    def mapping(self, schema: Schema, end: str) -> str:
        """An object."""
        return self.json(schema, end)

    def arguments(self, schema: Schema, *, is_sorted: bool = False) -> str:
        """What stands for all arguments of a tool, in the order of its schema or of their names.

        Any where the schema lists none.
        """
        if "properties" not in schema:
            item = self.rule(self.argument(None, schema.get("additionalProperties")))
            return f"({item} ({self.separator} {item})*)?"
        properties, required = properties_of(schema), required_of(schema)
        keys = sorted(properties, key=str.lower) if is_sorted else [*properties]
        return self.row(
            [(self.argument(key, properties[key]), key in required) for key in keys]
        )

    def row(self, items: Sequence[tuple[str, bool]]) -> str:
        """Items in their order, separated; those that need not be there are left out or not."""
        if not self.separator:
            return self.rule(
                " ".join(item if needed else f"({item})?" for item, needed in items)
            )
        rest = self.rule("")
        first = [rest]
        for item, needed in reversed(items):
            first = [f"{item} {rest}", *([] if needed else first)]
            more = f"{self.separator} {item}"
            rest = self.rule(f"{more if needed else f'({more})?'} {rest}")
        return self.rule(" | ".join(first))

    def rule(self, body: str, *, is_lazy: bool = False) -> str:
        """A rule of that body, by its name."""
        return self._named(f"{self._prefix}_{len(self.rules)}", body, is_lazy=is_lazy)

    def recursive(self, key: str, body: Callable[[str], str]) -> str:
        """The rule of that key, whose body is made with its own name."""
        name = f"{self._prefix}_{key}"
        if key not in self._recursive:
            self._recursive.add(key)
            self._named(name, body(name))
        return name

    @abstractmethod
    def argument(self, key: str | None, schema: object) -> str:
        """An argument, of any name where that is None."""

    @abstractmethod
    def anything(self, end: str) -> str:
        """Any value."""

    @abstractmethod
    def constant(self, value: Any, end: str) -> str:
        """One value."""

    @abstractmethod
    def text(self, schema: Schema, end: str) -> str:
        """A text."""

    def _reference(self, path: str, end: str) -> str:
        """The rule of what a reference stands for, which may be inside of itself."""
        found = resolved({"$ref": path}, self._root)
        return self.recursive(
            f"ref_{(path + end).encode().hex()}", lambda _: self.value(found, end)
        )

    def _named(self, name: str, body: str, *, is_lazy: bool = False) -> str:
        self.rules.append(f"{name}{'[lazy]' * is_lazy}: {body or EMPTY}")
        return name

    def _typed(self, schema: Schema, end: str) -> str:
        match schema.get("type"):
            case "string":
                return self.text(schema, end)
            case "boolean":
                return self.boolean(end)
            case "null":
                return self.constant(None, end)
            case "integer" | "number":
                return self.json(schema, end)
            case "array":
                return self.array(schema, end)
            case "object":
                return self.mapping(schema, end)
        return (
            self.mapping(schema, end) if "properties" in schema else self.anything(end)
        )


def either(items: Iterable[str]) -> str:
    """One of several rules' items."""
    found = list(dict.fromkeys(items))
    return found[0] if len(found) == 1 else f"({' | '.join(found)})"


def is_free_text(schema: object) -> bool:
    """Whether any text fits, as far as what is not written as JSON can be held to it."""
    if not isinstance(schema, dict) or "$ref" in schema or _constants(schema):
        return False
    return schema.get("type") == "string" or any(
        map(is_free_text, alternatives(schema))
    )


def is_text(schema: object) -> bool:
    """Whether only texts fit."""
    if not isinstance(schema, dict):
        return False
    constants = _constants(schema)
    if constants is not None:
        return all(isinstance(value, str) for value in constants)
    return schema.get("type") == "string"


def alternatives(schema: Schema) -> list[Any]:
    """The schemas of which one must fit, where a schema says no more than that."""
    for key in ("anyOf", "oneOf"):
        if isinstance(listed := schema.get(key), list) and listed:
            return listed
    if isinstance(types := schema.get("type"), list) and types:
        return [{**schema, "type": name} for name in types]
    return []


def _constants(schema: Schema) -> list[Any] | None:
    """The values that a schema lists; None where it lists none."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) and listed else None
