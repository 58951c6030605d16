"""`oneOf` whose alternatives exclude each other, which is what `anyOf` is then: llguidance enforces only that."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

Schema = dict[str, Any]

_MAX_PAIRS = 2000
_MAX_DEPTH = 4  # of references and properties that are followed


def exclude_each_other(schemas: object, root: Schema) -> bool:
    """Whether no value fits two of the schemas, as far as can be seen at little cost."""
    if not isinstance(schemas, list) or len(schemas) ** 2 > 2 * _MAX_PAIRS:
        return False
    return all(_differ(a, b, root, _MAX_DEPTH) for a, b in combinations(schemas, 2))


def _differ(one: object, other: object, root: Schema, depth: int) -> bool:
    one, other = resolved(one, root), resolved(other, root)
    if not depth or not isinstance(one, dict) or not isinstance(other, dict):
        return False
    return (
        _apart(_types(one), _types(other))
        or _apart(_values(one), _values(other))
        or _differ_in_a_property(one, other, root, depth - 1)
    )


def _apart(one: set[str] | None, other: set[str] | None) -> bool:
    return one is not None and other is not None and one.isdisjoint(other)


def _types(schema: Schema) -> set[str] | None:
    """The types that a schema allows, None for all of them; every integer is a number."""
    given = schema.get("type")
    types = {given} if isinstance(given, str) else given
    if not isinstance(types, set | list):
        return None
    return {"number" if name == "integer" else str(name) for name in types}


def _values(schema: Schema) -> set[str] | None:
    """The values that a schema allows, as JSON, where it lists them."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list):
        return None
    return {json.dumps(_plain(value), sort_keys=True) for value in values}


def _plain(value: object) -> object:
    """1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _differ_in_a_property(one: Schema, other: Schema, root: Schema, depth: int) -> bool:
    """Whether both are objects that must have a property, and its value tells them apart."""
    if _types(one) != {"object"} or _types(other) != {"object"}:
        return False
    shared = set(required_of(one)) & set(required_of(other))
    return any(
        _differ(
            properties_of(one).get(name), properties_of(other).get(name), root, depth
        )
        for name in shared
    )


def required_of(schema: Schema) -> list[str]:
    """The properties that an object must have."""
    names = schema.get("required")
    return [n for n in names if isinstance(n, str)] if isinstance(names, list) else []


def properties_of(schema: Schema) -> Schema:
    """The schemas of the properties that are listed, by name."""
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def resolved(schema: object, root: Schema) -> object:
    """What a schema that is only a reference into its document stands for."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            return schema
        path = schema["$ref"]
        if not path.startswith("#/"):
            return None
        schema = root
        for key in path[2:].split("/"):
            key = key.replace("~1", "/").replace("~0", "~")
            schema = schema.get(key) if isinstance(schema, dict) else None
    return None
