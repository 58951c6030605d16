"""Table: rows in columns, as wide as the terminal has room for. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from ollapy.text import clean

Row = Sequence[str]
_GAPS = (4, 2)  # columns between two cells, and where that is too wide
_LEAST = 24  # columns that a text needs to be read


def columns(rows: Iterable[Iterable[str]], *, gap: int = _GAPS[0]) -> list[str]:
    """The rows as lines, left-aligned in columns."""
    return _lines(_cleaned(rows), gap)


def fitted(header: Iterable[str], rows: Iterable[Iterable[str]], room: int) -> list[str]:  # fmt: skip
    """Rows under their headings, no line wider than there is room.

    Where even narrow gaps are too wide, the last column is broken between words; where it would get too narrow for
    that, a row is a paragraph of its own, a line for each cell behind its heading.
    """
    cells = _cleaned([header, *rows])
    for gap in _GAPS:
        lines = _lines(cells, gap)
        if max(map(width, lines)) <= room:
            return lines
    before = sum(max(map(width, column)) + gap for column in [*zip_longest(*cells, fillvalue="")][:-1])  # fmt: skip
    if room - before >= max(_LEAST, width(cells[0][-1])):
        return [part for row in cells for part in _broken(row, cells, gap, room)]
    return _paragraphs(cells)


def hanging(first: str, text: str, room: int) -> list[str]:
    """A text behind what it is about, its further lines under its first; under what it is about where that is too narrow."""
    if room - width(first) >= _LEAST or width(first + text) <= room:
        return _wrapped(text, room, first, " " * width(first))
    return [first.rstrip(), *_wrapped(text, room, "  ", "  ")]


def width(text: str) -> int:
    """Cells of the terminal."""
    if text.isascii():
        return len(text)
    from wcwidth import wcwidth  # a large table, which English needs not

    return sum(max(wcwidth(char), 0) for char in text)


def _cleaned(rows: Iterable[Iterable[str]]) -> list[list[str]]:
    return [[clean(cell) for cell in row] for row in rows]


def _lines(cells: list[list[str]], gap: int) -> list[str]:
    return [_padded(row, _widths(cells, gap)).rstrip() for row in cells]


def _widths(cells: list[list[str]], gap: int) -> list[int]:
    return [
        max(map(width, column)) + gap for column in zip_longest(*cells, fillvalue="")
    ]


def _padded(row: Row, widths: Sequence[int]) -> str:
    return "".join(c + " " * (w - width(c)) for c, w in zip(row, widths, strict=False))


def _broken(row: Row, cells: list[list[str]], gap: int, room: int) -> list[str]:
    before = _padded(row[:-1], _widths(cells, gap)[:-1])
    return hanging(before, row[-1], room)


def _paragraphs(cells: list[list[str]]) -> list[str]:
    header, *rows = cells
    if not rows:
        return ["  ".join(header)]
    pairs = [columns(zip(header, row, strict=False), gap=2) for row in rows]
    return "\n\n".join("\n".join(pair) for pair in pairs).split("\n")


def _wrapped(text: str, room: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        room,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    ) or [first.rstrip()]
