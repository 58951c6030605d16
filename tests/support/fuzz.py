"""Requests made of an OpenAPI document: some just as it says, others nearly."""

from __future__ import annotations

import random
from typing import Any

JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    2**31,
    2**63 - 1,
    10**20,
    "",
    "x",
    "\0",
    "\u202e\u2028\x1b[2J",
    "../../etc/passwd",
    "{{ 7 * 7 }}",
    "é" * 300,
    [],
    [[]],
    {},
    {"a": {"b": [1]}},
]
_WORDS = ["", "tiny", "hi", "\0", "☃", "a" * 300, "user", "tool", "../x", "<|im_end|>"]
_NUMBERS = [0, 1, 2, 3, 7, -1, 20, 4096, 2**31, 2**63 - 1]


class Fuzzer:
    """Values of schemas, the same for the same seed.

    `fixed` has the values of fields that must not be anything, by their names: good ones, and worse.
    """

    def __init__(
        self,
        components: dict[str, Any],
        seed: int,
        fixed: dict[str, tuple[list[Any], list[Any]]],
    ) -> None:
        self._components = components
        self._fixed = fixed
        self._is_wild = False
        self.random = random.Random(seed)

    def body(self, schema: dict[str, Any]) -> Any:
        """A request's; every second one has anything anywhere."""
        self._is_wild = self.random.random() < 0.5
        return self.value(schema)

    def value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """One that the schema allows, or, in a wild request and one time in fifteen, any other."""
        choose = self.random
        if self._is_wild and choose.random() < 1 / 15:
            return choose.choice(JUNK)
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.value(self._components[name], depth)
        if "anyOf" in schema:
            return self.value(choose.choice(schema["anyOf"]), depth)
        if "enum" in schema:
            return choose.choice(schema["enum"])
        return self._of_type(schema, depth)

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        choose = self.random
        match schema.get("type"):
            case "string":
                return choose.choice(_WORDS)
            case "integer":
                return choose.choice(_NUMBERS)
            case "number":
                return choose.choice([0.0, 0.5, 1.0, -2.5, 1e308])
            case "boolean":
                return choose.random() < 0.5
            case "null":
                return None
            case "array":
                count = choose.randrange(3) if depth < 5 else 0
                return [
                    self.value(schema.get("items", {}), depth + 1) for _ in range(count)
                ]
            case "object":
                return self._object(schema, depth)
        return choose.choice(JUNK)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """The required fields, those that are fixed, and about a fifth of the others."""
        choose = self.random
        found = {}
        for name, field in schema.get("properties", {}).items():
            if name in self._fixed:
                good, worse = self._fixed[name]
                found[name] = choose.choice([*good, *worse] if self._is_wild else good)
            elif name in schema.get("required", ()) or choose.random() < 0.2:
                found[name] = self.value(field, depth + 1)
        return found
