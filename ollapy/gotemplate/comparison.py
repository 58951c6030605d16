"""Go's comparisons: only values of one kind are compared."""

from __future__ import annotations

from .budget import Budget
from .errors import Refusal
from .values import Struct, is_nil, type_name

_KINDS = {bool: "bool", int: "int", float: "float64", str: "string"}


def equal(budget: Budget, first: object, *others: object) -> bool:
    """Whether the first is one of the others; those behind the one that is are not looked at."""
    if not others:
        raise Refusal("missing argument for comparison")
    return any(_equal(budget, first, other) for other in others)


def _equal(budget: Budget, one: object, other: object) -> bool:
    kinds = _kind(one), _kind(other)
    if kinds[0] != kinds[1]:
        if one is None or other is None:
            return False
        raise _incompatible(one, other)
    if kinds[0]:
        _look(budget, one)
        return one == other
    if is_nil(one) or is_nil(other):
        return is_nil(one) and is_nil(other)
    if type_name(one) != type_name(other) or not isinstance(one, Struct):
        raise Refusal(f"non-comparable types {type_name(one)} and {type_name(other)}")
    return one is other


def not_equal(budget: Budget, one: object, other: object) -> bool:
    """The opposite of equal."""
    return not equal(budget, one, other)


def less(budget: Budget, one: object, other: object) -> bool:
    """Whether a number or a text comes before another of its kind."""
    kinds = _kind(one), _kind(other)
    if not all(kinds):
        raise Refusal("invalid type for comparison")
    if kinds[0] != kinds[1]:
        raise _incompatible(one, other)
    match one, other:
        case (bool(), _):
            raise Refusal("invalid type for comparison")
        case (str(), str()):
            _look(budget, one)
            return one < other
        case (int() | float(), int() | float()):
            return one < other
    raise Refusal("invalid type for comparison")


def less_or_equal(budget: Budget, one: object, other: object) -> bool:
    """Whether one does not come after the other; not the opposite of greater for what is no number."""
    return less(budget, one, other) or equal(budget, one, other)


def greater(budget: Budget, one: object, other: object) -> bool:
    """The opposite of less or equal."""
    return not less_or_equal(budget, one, other)


def greater_or_equal(budget: Budget, one: object, other: object) -> bool:
    """The opposite of less."""
    return not less(budget, one, other)


def _kind(value: object) -> str | None:
    """What Go compares it as; None for what has no order."""
    return _KINDS.get(type(value))


def _look(budget: Budget, value: object) -> None:
    if isinstance(value, str):
        budget.look(value)


def _incompatible(one: object, other: object) -> Refusal:
    return Refusal(
        f"incompatible types for comparison: {type_name(one)} and {type_name(other)}"
    )
