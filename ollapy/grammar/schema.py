"""JSON Schemas from strangers: bounded, and put so that llguidance enforces all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ollapy.errors import InvalidRequest

from .alternatives import exclude_each_other

MAX_BYTES = 256 << 10
MAX_DEPTH = 100  # of objects and lists in each other
MAX_REFERENCES = 1000  # a chain of them is followed by recursion
MAX_PROPERTIES = 1000  # of one object; optional ones cost their square
MAX_PATTERN = 4096  # characters; a pattern costs its square
MAX_COUNT = 100_000

Schema = dict[str, Any]

_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "contains", "if", "then", "else")
_COMBINED = ("anyOf", "oneOf", "$ref")
_OF_OBJECTS = ("properties", "required", "additionalProperties", "patternProperties")
_WHITESPACE = r" |\n {0,16}"  # one at each place where there may be some
_ESCAPES = 'nrbtf\\"'


def prepared(schema: Schema, *, is_lenient: bool = False) -> Schema:
    """The schema as llguidance is to take it; InvalidRequest where it is out of bounds.

    An object that lists its properties gets no others, unless it says `additionalProperties`: what is
    left is valid still, and small models do not know where to stop adding. With `is_lenient` what cannot
    be enforced is passed over.
    """
    _check_size(schema)
    found = [s for _, s in subschemas(schema)]
    for path, sub in subschemas(schema):
        _check_bounds(path, sub)
        if not is_lenient:
            _check_names(path, sub)
    if sum("$ref" in s for s in found) > MAX_REFERENCES:
        raise InvalidRequest(f"more than {MAX_REFERENCES} $ref")
    copy = msgspec.json.decode(msgspec.json.encode(schema))
    is_intersection = any(map(_intersects, found))
    for _, sub in [*subschemas(copy)]:
        if sub.get("uniqueItems") is False:
            del sub["uniqueItems"]
        if "anyOf" not in sub and exclude_each_other(sub.get("oneOf"), copy):
            sub["anyOf"] = sub.pop("oneOf")
        if not is_intersection and _is_closable(sub):
            sub["additionalProperties"] = False
    return {**copy, "x-guidance": {**_guidance(schema), "lenient": is_lenient}}


def subschemas(schema: object, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema in a schema and itself, with its JSON pointer; what is no object is passed over."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key in _NAMED:
        if isinstance(named := schema.get(key), dict):
            for name, sub in named.items():
                yield from subschemas(sub, f"{path}/{key}/{name}")
    for key in (*_LISTED, *_SINGLE):
        value = schema.get(key)
        if isinstance(value, list):
            for number, sub in enumerate(value):
                yield from subschemas(sub, f"{path}/{key}/{number}")
        else:
            yield from subschemas(value, f"{path}/{key}")


def find(schema: Schema, keyword: str) -> str | None:
    """The pointer to the first use of a keyword."""
    uses = (f"{path}/{keyword}" for path, sub in subschemas(schema) if keyword in sub)
    return next(uses, None)


def _check_size(schema: Schema) -> None:
    if _depth(schema) > MAX_DEPTH:
        raise InvalidRequest(f"nested more than {MAX_DEPTH} deep")
    size = len(msgspec.json.encode(schema))
    if size > MAX_BYTES:
        raise InvalidRequest(f"{size} bytes of schema, at most {MAX_BYTES} are taken")


def _depth(value: object) -> int:
    """How deep objects and lists lie in each other, counted no further than is allowed."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        inner = [list(v.values()) if isinstance(v, dict) else v for v in level]
        level = [x for v in inner if isinstance(v, list) for x in v]
        level = [x for x in level if isinstance(x, dict | list)]
        depth += 1
    return depth


def _check_bounds(path: str, schema: Schema) -> None:
    for key in ("minItems", "minLength", "minProperties"):
        value = schema.get(key)
        if isinstance(value, int | float) and value > MAX_COUNT:
            raise InvalidRequest(f"{path}/{key} is more than {MAX_COUNT}")
    required = schema.get("required")
    if isinstance(required, list) and not all(isinstance(n, str) for n in required):
        raise InvalidRequest(f"{path}/required must be a list of strings")
    properties = schema.get("properties")
    if isinstance(properties, dict) and len(properties) > MAX_PROPERTIES:
        raise InvalidRequest(f"{path}/properties has more than {MAX_PROPERTIES}")
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and len(pattern) > MAX_PATTERN:
        raise InvalidRequest(f"{path}/pattern has more than {MAX_PATTERN} characters")


def _check_names(path: str, schema: Schema) -> None:
    if _num_free(schema) > 1:
        raise InvalidRequest(
            f"{path}/minProperties asks for properties without naming them in required, "
            "which would let one name come twice"
        )


def _num_free(schema: Schema) -> int:
    """Properties that must be there and may have any name; llguidance does not keep them apart."""
    wanted, required = schema.get("minProperties"), schema.get("required")
    if not isinstance(wanted, int):
        return 0
    return wanted - len(required if isinstance(required, list) else ())


def _intersects(schema: Schema) -> bool:
    """Whether several schemas describe one object, so that none of them is all that it may be."""
    has_own = any(key in schema for key in _OF_OBJECTS)
    return "allOf" in schema or (has_own and any(key in schema for key in _COMBINED))


def _is_closable(schema: Schema) -> bool:
    properties, required = schema.get("properties"), schema.get("required", [])
    others = ("additionalProperties", "patternProperties", "minProperties")
    return (
        isinstance(properties, dict)
        and isinstance(required, list)
        and all(name in properties for name in required)
        and not any(key in schema for key in others)
    )


def _guidance(schema: Schema) -> dict[str, str]:
    """Compact or as models write it; no escape that would let a listed name come in another spelling."""
    has_controls = rb"\u00" in msgspec.json.encode(schema)
    return {
        "whitespace_pattern": _WHITESPACE,
        "json_allowed_escapes": _ESCAPES + "u" * has_controls,
    }
