"""Scope: the variables that a template sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import Refusal


class Scope:
    """A stack of variables, of which the last of a name is meant; its length is what `drop` takes."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._values: list[object] = []
        self._first = 0  # that is seen

    def __len__(self) -> int:
        return len(self._names)

    def push(self, name: str, value: object) -> None:
        """Declare a variable."""
        self._names.append(name)
        self._values.append(value)

    def drop(self, length: int) -> None:
        """Forget what was declared when there were more than so many."""
        del self._names[length:]
        del self._values[length:]

    def get(self, name: str) -> object:
        """A variable's value."""
        return self._values[self._place(name)]

    def set(self, name: str, value: object) -> None:
        """Give another value to a variable that is there."""
        self._values[self._place(name)] = value

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """In another template none of the variables are seen."""
        kept, self._first = self._first, len(self._names)
        yield
        self.drop(self._first)
        self._first = kept

    def _place(self, name: str) -> int:
        for i in range(len(self._names) - 1, self._first - 1, -1):
            if self._names[i] == name:
                return i
        raise Refusal(f"undefined variable: {name}")
