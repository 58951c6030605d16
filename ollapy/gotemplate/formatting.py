"""`printf`: values put into a text, each as its verb says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .layout import Layout
from .printing import printed
from .values import type_name
from .verbs import written

_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\*|[0-9]*)(?:\.(?P<precision>\*|[0-9]*))?"
    r"(?P<index>\[[^\]]*\])?(?P<verb>.|\Z)",
    re.DOTALL,
)
_INDEX = re.compile(r"\[[0-9]{1,9}\]")
_MAX_WIDTH = 1_000_000


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
        place = int(index[1:-1]) if _INDEX.fullmatch(index) else 0
        if not 1 <= place <= len(self._values):
            return False
        self._next = place - 1
        return True

    def extra(self) -> Iterator[str]:
        """What Go says of values that no verb asked for."""
        rest = [] if self._reordered else self._values[self._next :]
        for i, value in enumerate(rest):
            yield ", " if i else "%!(EXTRA "
            yield "" if value is None else f"{type_name(value)}="
            yield printed(value)
        yield ")" if rest else ""


def _one(found: re.Match[str], given: _Arguments) -> Iterator[str]:
    """The next value as a verb says, with what Go says of a width or precision that is none."""
    width, problem = _size(found["width"], given, "WIDTH")
    yield problem
    precision, problem = _size(found["precision"], given, "PREC")
    yield problem
    flags = found["flags"]
    if width is not None and width < 0:
        flags, width = f"{flags}-", -width
    yield from _value(found, given, Layout(flags, width or 0, precision, found["verb"]))


def _value(found: re.Match[str], given: _Arguments, layout: Layout) -> Iterator[str]:
    verb = layout.verb
    if not verb:
        yield "%!(NOVERB)"
    elif verb == "%":
        yield "%"
    elif found["index"] and not given.go_to(found["index"]):
        yield f"%!{verb}(BADINDEX)"
    elif values := given.take():
        yield from written(values[0], layout)
    else:
        yield f"%!{verb}(MISSING)"


def _size(text: str | None, given: _Arguments, name: str) -> tuple[int | None, str]:
    """A width or precision, and what Go says where it is not one."""
    if text is None:
        return None, ""
    size: object = next(iter(given.take()), None) if text == "*" else int(text[:9] or 0)
    if type(size) is not int or abs(size) > _MAX_WIDTH or (name == "PREC" and size < 0):
        return None, f"%!(BAD{name})"
    return size, ""
