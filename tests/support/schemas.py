"""JSON Schemas drawn by chance: small, satisfiable, and bounded so that a model of random weights can finish."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

Schema = dict[str, Any]

_NAMES = [
    "a",
    "b",
    "name",
    "käse",
    'q"uote',
    "back\\slash",
    "with space",
    "😀",
    "\u2028",
    "line\nbreak",
    "",
]
_PATTERNS = [
    r"^[a-z]{1,5}$",
    r"^\d{3}-\d{2}$",
    r"^(yes|no)$",
    r"^[A-Z]\w{0,4}$",
    r"^.{2,4}$",
    r"^[^a-z]{1,3}$",
]
_FORMATS = ["date", "time", "date-time", "uuid", "ipv4"]
_MAX_DEPTH = 3


def draw(seed: int) -> Schema:
    """The schema of that number."""
    rng = Random(seed)
    schema = _any(rng, 0)
    if rng.random() < 0.2:
        schema = {"$defs": {"part": _any(rng, 1)}, **_object(rng, 0)}
        schema["properties"]["ref"] = {"$ref": "#/$defs/part"}
        schema["required"] = [*schema["required"], "ref"]
    return schema


def _any(rng: Random, depth: int) -> Schema:
    leaves = [_integer, _number, _text, _constant, _simple]
    branches = [_array, _object, _choice, _both]
    kinds: list[Callable[[Random, int], Schema]] = (
        leaves if depth >= _MAX_DEPTH else leaves + 2 * branches
    )
    return rng.choice(kinds)(rng, depth)


def _integer(rng: Random, _: int) -> Schema:
    low = rng.randint(-1000, 1000)
    high = low + rng.randint(7, 500)
    return rng.choice(
        [
            {"minimum": low, "maximum": high},
            {"exclusiveMinimum": low, "exclusiveMaximum": high},
            {"minimum": 0, "maximum": 10**6, "multipleOf": rng.randint(2, 7)},
        ]
    ) | {"type": "integer"}


def _number(rng: Random, _: int) -> Schema:
    low = round(rng.uniform(-100, 100), 2)
    high = round(low + rng.uniform(1, 100), 1)
    return {"type": "number", "minimum": low, "exclusiveMaximum": high}


def _text(rng: Random, _: int) -> Schema:
    least = rng.randint(0, 3)
    return {"type": "string"} | rng.choice(
        [
            {"minLength": least, "maxLength": least + rng.randint(0, 6)},
            {"pattern": rng.choice(_PATTERNS)},
            {"format": rng.choice(_FORMATS)},
        ]
    )


def _constant(rng: Random, _: int) -> Schema:
    values = [None, True, 1, 2.5, "text", "ünï\n", [1, "x"], {"k": [False]}]
    return rng.choice([{"const": rng.choice(values)}, {"enum": rng.sample(values, 3)}])


def _simple(rng: Random, _: int) -> Schema:
    return rng.choice(
        [{"type": "boolean"}, {"type": "null"}, {"type": ["boolean", "null"]}]
    )


def _array(rng: Random, depth: int) -> Schema:
    least = rng.randint(0, 2)
    bounds = {"minItems": least, "maxItems": least + rng.randint(0, 2)}
    if rng.random() < 0.3:
        first = [_any(rng, depth + 1) for _ in range(2)]
        return {
            "type": "array",
            "prefixItems": first,
            "items": False,
            "minItems": least,
        }
    return {"type": "array", "items": _any(rng, depth + 1), **bounds}


def _object(rng: Random, depth: int) -> Schema:
    names = rng.sample(_NAMES, rng.randint(0, 4))
    required = [name for name in names if rng.random() < 0.6]
    schema = {
        "type": "object",
        "properties": {name: _any(rng, depth + 1) for name in names},
        "required": required,
    }
    return schema | ({"additionalProperties": False} if rng.random() < 0.5 else {})


def _choice(rng: Random, depth: int) -> Schema:
    return {"anyOf": [_any(rng, depth + 1) for _ in range(rng.randint(2, 3))]}


def _both(rng: Random, depth: int) -> Schema:
    return {
        "allOf": [
            {
                "type": "object",
                "properties": {"left": _any(rng, depth + 1)},
                "required": ["left"],
            },
            {"properties": {"right": _any(rng, depth + 1)}, "required": ["right"]},
        ],
        "maxProperties": 2,
    }
