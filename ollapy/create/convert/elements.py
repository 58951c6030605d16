"""Elements: numbers from one floating-point type to another, and their order within a head."""

from __future__ import annotations

import numpy as np

from ollapy.errors import InvalidModel, Unsupported

from .safetensors import Array

# The bits that are all set in an infinity and in what is not a number.
_EXPONENT = {
    "F64": (np.uint64, 0x7FF0_0000_0000_0000),
    "F32": (np.uint32, 0x7F80_0000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
}


def converted(
    array: Array, source: str, target: str, *, shift: float, name: str
) -> Array:
    """The elements of tensor `name` in the type `target`, those that are none refused."""
    bits, mask = _EXPONENT[source]
    if np.any((array.view(bits) & bits(mask)) == mask):
        raise InvalidModel(f"tensor {name} holds an infinity or what is not a number")
    if source == target and not shift:
        return array
    values = _widened(array, source)
    return _narrowed(values + np.float32(shift) if shift else values, target, name)


def _widened(array: Array, source: str) -> Array:
    if source == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)


def _narrowed(values: Array, target: str, name: str) -> Array:
    if target == "F32":
        return values
    if target == "F16":
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.any(np.isinf(half)):
            raise Unsupported(
                f"tensor {name} holds numbers too large for F16, convert to BF16 or F32"
            )
        return half
    bits = values.view(np.uint32)  # rounded to the nearest, ties to even
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)


def neighbours(rows: Array, heads: int) -> Array:
    """The rows of whole heads, each row of a head's first half followed by its partner of the second."""
    halves = rows.reshape(heads, 2, -1, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)
