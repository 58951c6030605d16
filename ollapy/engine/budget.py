"""Budget: how many tokens a thought may have before its end is put into the model's mouth."""

from __future__ import annotations

from typing import Protocol


class Reader(Protocol):
    """What follows an answer's text closely enough to know its thoughts: a chat parser."""

    @property
    def is_thinking(self) -> bool:
        """Whether the text so far ends inside a thought."""

    def feed(self, text: str) -> object:
        """More of the text."""


class Budget:
    """Counts the tokens of thoughts. Engine thread only, but for `spent`.

    `ends` are tokens that end a thought: the first of them the one that is too long, the next another that
    the model begins after it.
    """

    def __init__(self, reader: Reader, limit: int, ends: list[list[int]]) -> None:
        self._reader = reader
        self._left = limit
        self._ends = ends
        self._forced: list[int] = []
        self.spent = False

    @property
    def is_ending(self) -> bool:
        """Whether the end of a thought is still to be said."""
        return bool(self._forced)

    def take(self) -> int | None:
        """The token that comes next whatever the model says; None where that is for the model to say."""
        is_due = not self._left and not self._forced and self._reader.is_thinking
        if is_due and self._ends:
            self.spent = True
            self._forced = self._ends.pop(0)
        return self._forced.pop(0) if self._forced else None

    def spend(self, text: str) -> None:
        """A token has come, with what it adds to the text."""
        if self._left and self._reader.is_thinking:
            self._left -= 1
        self._reader.feed(text)
