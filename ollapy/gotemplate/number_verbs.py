"""The verbs of `printf` that write numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, isfinite, isnan

from .floats import printed_float
from .layout import Layout
from .literals import quote

_BASES = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}


def write_integer(value: int, layout: Layout) -> str | None:
    """None where the verb is not for integers."""
    write = _INTEGERS.get(layout.verb)
    return write(value, layout) if write else None


def _digits(value: int, layout: Layout) -> str:
    digits, precision = format(abs(value), _BASES[layout.verb]), layout.precision
    prefix = _PREFIXES.get(layout.verb, "") if "#" in layout.flags else ""
    sign = layout.sign(is_negative=value < 0)
    sign += "0o" if layout.verb == "O" else prefix
    if precision is None:
        return layout.number(sign, digits)
    digits = "" if value == precision == 0 else digits.rjust(precision, "0")
    return layout.padded(sign + digits, zeros=False)


def _character(value: int, layout: Layout) -> str:
    return layout.padded(_rune(value))


def _quoted(value: int, layout: Layout) -> str:
    body = quote(_rune(value))[1:-1].replace("'", "\\'").replace('\\"', '"')
    return layout.padded(f"'{body}'")


def _code_point(value: int, layout: Layout) -> str:
    shown = f"U+{value % 2**64:04X}"
    if "#" in layout.flags and _rune(value).isprintable():
        shown += f" '{_rune(value)}'"
    return layout.padded(shown, zeros=False)


def _rune(value: int) -> str:
    is_character = 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF
    return chr(value) if is_character else "\ufffd"


_INTEGERS: dict[str, Callable[[int, Layout], str]] = {
    **dict.fromkeys(_BASES, _digits),
    "c": _character,
    "q": _quoted,
    "U": _code_point,
}


def write_float(value: float, layout: Layout) -> str | None:
    """None where the verb is not for floating-point numbers."""
    if layout.verb not in "eEfFgGv":
        return None
    sign = layout.sign(is_negative=copysign(1, value) < 0)
    if isfinite(value):
        return layout.number(sign, _float_digits(abs(value), layout))
    body = "NaN" if isnan(value) else "Inf"
    return layout.padded((sign or "+" * (body == "Inf")) + body, zeros=False)


def _float_digits(value: float, layout: Layout) -> str:
    verb, precision = layout.verb.replace("v", "g"), layout.precision
    if precision is None and verb in "gG":
        shortest = printed_float(value)
        return shortest.upper() if verb == "G" else shortest
    return format(value, f".{6 if precision is None else precision}{verb}")
