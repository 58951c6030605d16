"""The verbs of `printf`: a value as one of them writes it, or what Go says where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from .layout import Layout
from .literals import quote
from .number_verbs import write_float, write_integer
from .printing import printed
from .text import encoded
from .values import NilSlice, type_name

# And not those that are printed in a way of their own.
_CONTAINERS = (dict, list, NilSlice)


def written(value: object, layout: Layout) -> Iterator[str]:
    """The texts that together are the value; a container's verb is for its elements."""
    if layout.verb == "T":
        yield layout.padded(type_name(value))
    elif type(value) in _CONTAINERS:
        yield from _container(value, layout)
    else:
        text = _text(value, layout)
        yield _refused(value, layout) if text is None else text


def _container(value: object, layout: Layout) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield "map["
        for i, key in enumerate(sorted(value, key=encoded)):
            yield " " if i else ""
            yield from written(key, layout)
            yield ":"
            yield from _element(value[key], layout)
    elif isinstance(value, Sequence):
        yield "["
        for i, element in enumerate(value):
            yield " " if i else ""
            yield from _element(element, layout)
    yield "]"


def _element(value: object, layout: Layout) -> Iterator[str]:
    """Nothing is no mistake inside of a container."""
    return written(value, layout.plain if value is None else layout)


def _refused(value: object, layout: Layout) -> str:
    if value is None:
        return f"%!{layout.verb}(<nil>)"
    return f"%!{layout.verb}({type_name(value)}={_text(value, layout.plain)})"


def _text(value: object, layout: Layout) -> str | None:
    """None where the verb is not for such a value."""
    match value:
        case bool():
            return layout.padded(printed(value)) if layout.verb in "tv" else None
        case int():
            return write_integer(value, layout)
        case float():
            return write_float(value, layout)
        case None:
            return layout.padded(printed(value)) if layout.verb == "v" else None
    write = _TEXTS.get(layout.verb)
    return layout.padded(write(printed(value), layout)) if write else None


def _cut(text: str, layout: Layout) -> str:
    return layout.cut(text)


def _general(text: str, layout: Layout) -> str:
    return quote(text) if "#" in layout.flags else layout.cut(text)


def _quoted(text: str, layout: Layout) -> str:
    text = layout.cut(text)
    return f"`{text}`" if "#" in layout.flags and "`" not in text else quote(text)


def _hex(text: str, layout: Layout) -> str:
    data = encoded(text)[: layout.precision]
    shown = data.hex(" ") if " " in layout.flags else data.hex()
    shown = f"0x{shown}" if "#" in layout.flags and shown else shown
    return shown.upper() if layout.verb == "X" else shown


_TEXTS: dict[str, Callable[[str, Layout], str]] = {
    "s": _cut,
    "v": _general,
    "q": _quoted,
    "x": _hex,
    "X": _hex,
}
