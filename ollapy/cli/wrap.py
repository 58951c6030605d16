"""Wrap: lines broken between words as a text comes, for a terminal."""

from __future__ import annotations

_MARGIN = 5  # columns that stay free
_FENCE = "```"


class Wrap:
    """Every character is shown at once; a word that turns out too long for its line is taken to the next.

    Widths are those of the terminal's cells: a CJK character or an emoji has two, and lines may break behind it.
    Code, between lines that begin with three backticks, is left alone, so that it can be copied.
    """

    def __init__(self, columns: int) -> None:
        self._limit = max(columns - _MARGIN, 1)
        self._column = 0
        self._word = ""
        self._line = ""  # its beginning
        self._is_code = False

    def feed(self, text: str) -> str:
        """What to write for the next piece of the text."""
        return "".join(map(self._put, text))

    def _put(self, char: str) -> str:
        if char == "\n":
            self._is_code ^= self._line.lstrip().startswith(_FENCE)
            self._start("")
            self._line = ""
            return char
        if len(self._line) < 80:
            self._line += char
        width = _width(char, self._column)
        is_full = self._column + width > self._limit and not self._is_code
        if is_full and char.isspace():  # the end of the line stands for it
            self._start("")
            return "\n"
        shown = self._break(char) if is_full else char
        self._column += width
        if char.isspace() or width > 1:
            self._word = ""
        else:
            self._word += char
        return shown

    def _break(self, char: str) -> str:
        """Go to the next line, with the word that has begun unless it fills this one."""
        word, width = self._word, sum(map(_width, self._word))
        if not word or width >= self._column:
            self._start("")
            return "\n" + char
        self._start(word)
        return f"\x1b[{width}D\x1b[K\n{word}{char}"

    def _start(self, word: str) -> None:
        self._word, self._column = word, sum(map(_width, word))


def _width(char: str, column: int = 0) -> int:
    if char == "\t":
        return 8 - column % 8
    if char.isascii():
        return 1
    from wcwidth import wcwidth  # a large table, which English needs not

    return max(wcwidth(char), 0)
