"""`printf`: values put into a text, each as its verb says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .floats import printed_float
from .literals import quote
from .printing import printed
from .text import encoded
from .values import type_name

_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\*|[0-9]*)(?:\.(?P<precision>\*|[0-9]*))?"
    r"(?P<index>\[[^\]]*\])?(?P<verb>.|\Z)",
    re.DOTALL,
)
_MAX_WIDTH = 1_000_000


@dataclass(slots=True)
class _Spec:
    """How one value is to be written; `precision` is None where none is given."""

    flags: str
    width: int
    precision: int | None
    verb: str


def format_parts(template: str, values: Sequence[object]) -> Iterator[str]:
    """The texts that `printf` puts together; what does not fit says so in its place, as in Go."""
    given = _Arguments(values)
    at = 0
    for found in _VERB.finditer(template):
        yield template[at : found.start()]
        yield from _one(found, given)
        at = found.end()
    yield template[at:]
    yield from given.extra()


class _Arguments:
    """The values, and how many of them have been used."""

    def __init__(self, values: Sequence[object]) -> None:
        self._values = values
        self._next = 0
        self._reordered = False

    def take(self) -> list[object]:
        """The next value in a list; an empty one where there is none."""
        found = list(self._values[self._next : self._next + 1])
        self._next += len(found)
        return found

    def go_to(self, index: str) -> bool:
        """Go on with a value by its number in brackets."""
        self._reordered = True
        digits = index[1:-1]
        if not digits.isdecimal() or not 1 <= int(digits) <= len(self._values):
            return False
        self._next = int(digits) - 1
        return True

    def extra(self) -> Iterator[str]:
        """What Go says of values that no verb asked for."""
        rest = self._values[self._next :]
        if rest and not self._reordered:
            shown = (
                printed(value)
                if value is None
                else f"{type_name(value)}={printed(value)}"
                for value in rest
            )
            yield f"%!(EXTRA {', '.join(shown)})"


def _one(found: re.Match[str], given: _Arguments) -> Iterator[str]:
    verb = found["verb"]
    if not verb:
        yield "%!(NOVERB)"
        return
    width, problem = _size(found["width"], given, "WIDTH")
    yield problem
    precision, problem = (None, "")
    if found["precision"] is not None:
        precision, problem = _size(found["precision"] or "0", given, "PREC")
    yield problem
    if verb == "%":
        yield "%"
        return
    if found["index"] and not given.go_to(found["index"]):
        yield f"%!{verb}(BADINDEX)"
        return
    flags = found["flags"]
    if width is not None and width < 0:
        flags, width = flags + "-", -width
    if not (values := given.take()):
        yield f"%!{verb}(MISSING)"
        return
    yield _value(values[0], _Spec(flags, width or 0, precision, verb))


def _size(text: str, given: _Arguments, name: str) -> tuple[int | None, str]:
    """A width or precision, and what Go says where it is not one."""
    if text != "*":
        size: object = int(text[:9] or 0)
    else:
        size = next(iter(given.take()), None)
    is_number = isinstance(size, int) and not isinstance(size, bool)
    if not is_number or not isinstance(size, int) or abs(size) > _MAX_WIDTH:
        return None, f"%!(BAD{name})"
    if name == "PREC" and size < 0:
        return None, f"%!(BAD{name})"
    return size, ""


def _value(value: object, spec: _Spec) -> str:
    if spec.verb == "T":
        return _padded(type_name(value), spec)
    if spec.verb == "v":
        return _general(value, spec)
    if isinstance(value, dict | list):
        return _container(value, spec)
    written = _written(value, spec)
    if written is None:
        return _bad(value, spec)
    return written


def _container(value: dict[str, object] | list[object], spec: _Spec) -> str:
    """The verb is for the elements."""
    if isinstance(value, dict):
        keys = sorted(value, key=encoded)
        pairs = (f"{_value(k, spec)}:{_element(value[k], spec)}" for k in keys)
        return f"map[{' '.join(pairs)}]"
    return f"[{' '.join(_element(element, spec) for element in value)}]"


def _element(value: object, spec: _Spec) -> str:
    return _padded("<nil>", spec) if value is None else _value(value, spec)


def _bad(value: object, spec: _Spec) -> str:
    if value is None:
        return f"%!{spec.verb}(<nil>)"
    return (
        f"%!{spec.verb}({type_name(value)}={_general(value, replace(spec, verb='v'))})"
    )


def _general(value: object, spec: _Spec) -> str:
    match value:
        case bool() | None:
            return _padded(printed(value), spec)
        case int():
            return _integer(value, spec, "d")
        case float():
            return _float(value, spec)
        case dict() | list() if "#" not in spec.flags and not _prints_itself(value):
            return _container(value, spec)
        case str() if "#" in spec.flags:
            return _padded(quote(value), spec)
    return _padded(_cut(printed(value), spec), spec)


def _prints_itself(value: object) -> bool:
    return type(value) not in (dict, list)


def _written(value: object, spec: _Spec) -> str | None:
    """The value as a verb other than `%v` has it; None where it has not."""
    verb = spec.verb
    match value:
        case bool():
            return _padded(printed(value), spec) if verb == "t" else None
        case int() if verb in _INTEGERS:
            return _INTEGERS[verb](value, spec)
        case float() if verb in "eEfFgG":
            return _float(value, spec)
        case str() if verb in _TEXTS:
            return _padded(_TEXTS[verb](value, spec), spec)
    if not isinstance(value, bool | int | float | str | None) and verb in _TEXTS:
        return _padded(_TEXTS[verb](printed(value), spec), spec)
    return None


def _cut(text: str, spec: _Spec) -> str:
    return text if spec.precision is None else text[: spec.precision]


def _quoted(text: str, spec: _Spec) -> str:
    text = _cut(text, spec)
    return f"`{text}`" if "#" in spec.flags and "`" not in text else quote(text)


def _hex_text(text: str, spec: _Spec) -> str:
    shown = encoded(text)[: spec.precision].hex(*" " * (" " in spec.flags))
    shown = f"0x{shown}" if "#" in spec.flags and shown else shown
    return shown.upper() if spec.verb == "X" else shown


_TEXTS: dict[str, Callable[[str, _Spec], str]] = {
    "s": _cut,
    "q": _quoted,
    "x": _hex_text,
    "X": _hex_text,
}


def _padded(text: str, spec: _Spec) -> str:
    if "-" in spec.flags:
        return text.ljust(spec.width)
    return text.rjust(spec.width, "0" if "0" in spec.flags else " ")


def _signed(is_negative: bool, spec: _Spec) -> str:
    if is_negative:
        return "-"
    return "+" if "+" in spec.flags else " " if " " in spec.flags else ""


def _number(sign: str, body: str, spec: _Spec) -> str:
    """Zeros that pad a number come after its sign."""
    if "0" in spec.flags and "-" not in spec.flags:
        return sign + body.rjust(spec.width - len(sign), "0")
    return _padded(sign + body, spec)


def _integer(value: int, spec: _Spec, kind: str) -> str:
    prefixes = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}
    prefix = prefixes.get(kind, "") if "#" in spec.flags else ""
    body = format(abs(value), kind)
    sign = _signed(value < 0, spec) + ("0o" if spec.verb == "O" else prefix)
    if spec.precision is None:
        return _number(sign, body, spec)
    body = "" if value == spec.precision == 0 else body.rjust(spec.precision, "0")
    flags = spec.flags.replace("0", "")
    return _padded(sign + body, _Spec(flags, spec.width, None, spec.verb))


def _character(value: int, spec: _Spec) -> str:
    return _padded(_rune(value), spec)


def _quoted_character(value: int, spec: _Spec) -> str:
    body = quote(_rune(value))[1:-1].replace("'", "\\'").replace('\\"', '"')
    return _padded(f"'{body}'", spec)


def _code_point(value: int, spec: _Spec) -> str:
    shown = f"U+{value:04X}" if value >= 0 else f"U+{value + 2**64:04X}"
    if "#" in spec.flags and _rune(value).isprintable():
        shown += f" '{_rune(value)}'"
    return _padded(shown, _Spec(spec.flags.replace("0", ""), spec.width, None, "U"))


def _rune(value: int) -> str:
    is_character = 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF
    return chr(value) if is_character else "\ufffd"


_INTEGERS: dict[str, Callable[[int, _Spec], str]] = {
    **{v: lambda n, spec: _integer(n, spec, spec.verb) for v in "dboxX"},
    "O": lambda n, spec: _integer(n, spec, "o"),
    "c": _character,
    "q": _quoted_character,
    "U": _code_point,
}


def _float(value: float, spec: _Spec) -> str:
    verb = {"v": "g", "F": "f"}.get(spec.verb, spec.verb)
    if spec.precision is None and verb in "gG":
        body = printed_float(abs(value))
        body = body.upper() if verb == "G" else body
    else:
        body = format(
            abs(value), f".{6 if spec.precision is None else spec.precision}{verb}"
        )
    is_negative = str(value).startswith("-")
    if not body[0].isdigit():  # NaN, Inf
        body = {"+Inf": "Inf", "inf": "Inf", "nan": "NaN"}.get(body, body)
        sign = _signed(is_negative, spec) or ("+" if body == "Inf" else "")
        return _padded(
            sign + body, _Spec(spec.flags.replace("0", ""), spec.width, None, verb)
        )
    return _number(_signed(is_negative, spec), body, spec)
