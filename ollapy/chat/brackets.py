"""Brackets: the end of a value that is still arriving."""

from __future__ import annotations

import re

_OUTSIDE = re.compile(r"[\"'{}\[\]()]")
_INSIDE = {'"': re.compile(r'["\\]'), "'": re.compile(r"['\\]")}


class Brackets:
    """Finds where a bracketed value ends; looks at each character once, however it arrives.

    Single quotes make strings only where `single`. Which bracket closes which is for the decoder to say.
    """

    def __init__(self, start: int = 0, *, single: bool = False) -> None:
        self._at = start
        self._single = single
        self._depth = 0
        self._quote = ""

    def end(self, text: str) -> int | None:
        """The index after the value that begins at the start, None while it is not whole.

        `text` is what it was the last time, with more at its end.
        """
        while True:
            pattern = _INSIDE[self._quote] if self._quote else _OUTSIDE
            found = pattern.search(text, self._at)
            if found is None:
                self._at = len(text)
                return None
            if found[0] == "\\" and found.end() == len(text):
                self._at = found.start()  # what it escapes is still to come
                return None
            self._take(found[0], found.end())
            if not self._depth and not self._quote:
                return self._at

    def _take(self, character: str, after: int) -> None:
        self._at = after
        if character == "\\":
            self._at += 1
        elif character == self._quote:
            self._quote = ""
        elif character == '"' or (character == "'" and self._single):
            self._quote = character
        elif character in "{[(":
            self._depth += 1
        elif character in "}])":
            self._depth -= 1
