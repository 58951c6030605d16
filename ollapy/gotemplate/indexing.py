"""`index`, `slice` and `len`. What they count in a string are bytes."""

from __future__ import annotations

from .budget import Budget
from .errors import Refusal
from .text import decoded, encoded, length
from .values import type_name


def index(budget: Budget, item: object, *indexes: object) -> object:
    """An element, or an element of an element."""
    if item is None:
        raise Refusal("index of untyped nil")
    for key in indexes:
        match item:
            case None:
                raise Refusal("index of nil pointer")
            case dict():
                item = item.get(_key(key))
            case str() | list():
                item = _element(budget, item, key)
            case _:
                raise Refusal(f"can't index item of type {type_name(item)}")
    return item


def _key(key: object) -> str:
    if key is None:
        raise Refusal("value is nil; should be of type string")
    if not isinstance(key, str):
        raise Refusal(f"value has type {type_name(key)}; should be string")
    return key


def _element(budget: Budget, item: str | list[object], key: object) -> object:
    size = count(budget, item)
    position = _position(key, size)
    if position == size:
        kind = "string" if isinstance(item, str) else "slice"
        raise Refusal(f"reflect: {kind} index out of range")
    return encoded(item)[position] if isinstance(item, str) else item[position]


def _position(value: object, most: int) -> int:
    if value is None:
        raise Refusal("cannot index slice/array with nil")
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal(f"cannot index slice/array with type {type_name(value)}")
    if not 0 <= value <= most:
        raise Refusal(f"index out of range: {value}")
    return value


def slice_of(budget: Budget, item: object, *indexes: object) -> object:
    """A part, from the first index and before the second; a third, the part's capacity, changes nothing."""
    if item is None:
        raise Refusal("slice of untyped nil")
    if len(indexes) > 3:
        raise Refusal(f"too many slice indexes: {len(indexes)}")
    if not isinstance(item, str | list):
        raise Refusal(f"can't slice item of type {type_name(item)}")
    if isinstance(item, str) and len(indexes) == 3:
        raise Refusal("cannot 3-index slice a string")
    size = count(budget, item)
    places = [_position(value, size) for value in indexes]
    start, end = [*places, *(0, size)[len(places) :]][:2]
    if start > end:
        raise Refusal(f"invalid slice index: {start} > {end}")
    if len(places) == 3 and end > places[2]:
        raise Refusal(f"invalid slice index: {end} > {places[2]}")
    budget.step((end - start) // 64)
    if isinstance(item, list):
        return type(item)(item[start:end])
    return item[start:end] if item.isascii() else decoded(encoded(item)[start:end])


def count(budget: Budget, item: object) -> int:
    """How many elements or bytes there are."""
    match item:
        case None:
            raise Refusal("len of nil pointer")
        case str():
            if not item.isascii():
                budget.look(item)
            return length(item)
        case list() | dict():
            return len(item)
    raise Refusal(f"len of type {type_name(item)}")
