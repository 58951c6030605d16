"""Values as Go has them: None is nil, a list a slice, a dict a map with texts for keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Struct:
    """A Go struct: its fields and methods by name, and what it is as JSON, which is also how it is printed."""

    type_name: str
    fields: Mapping[str, object]
    json: Mapping[str, object] = field(default_factory=dict)


class NilSlice(list[object]):
    """A slice that was never made: empty, and equal to nil."""


class JsonList(list[object]):
    """A slice that is printed as JSON."""


class JsonMap(dict[str, object]):
    """A map that is printed as JSON."""


class Words(list[object]):
    """A slice that is printed as its element where it has one, and as nothing where it has none."""


def type_name(value: object) -> str:
    """The type as Go names it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case list():
            return "[]interface {}"
        case dict():
            return "map[string]interface {}"
        case Struct():
            return value.type_name
    raise TypeError(f"a template cannot have a {type(value).__name__}")


def is_true(value: object) -> bool:
    """Whether a value is not its type's zero; a struct never is."""
    return True if isinstance(value, Struct) else bool(value)


def is_nil(value: object) -> bool:
    """Whether there is no value."""
    return value is None or isinstance(value, NilSlice)
