"""Budget: what a template may spend, as it may be anybody's program."""

from __future__ import annotations

MAX_STEPS = 1_000_000
MAX_CHARACTERS = 32 * 1024 * 1024
_CHARACTERS_PER_STEP = 256


class Overrun(Exception):
    """The template wants more than there is."""


class Budget:
    """Steps and characters of text that are left."""

    def __init__(
        self, steps: int = MAX_STEPS, characters: int = MAX_CHARACTERS
    ) -> None:
        self._max = steps, characters
        self._steps = steps
        self._characters = characters

    def step(self, number: int = 1) -> None:
        """Go so many steps."""
        self._steps -= number
        if self._steps < 0:
            raise Overrun(f"the template takes more than {self._max[0]} steps")

    def look(self, text: str) -> None:
        """Go over a text."""
        self.step(len(text) // _CHARACTERS_PER_STEP)

    def write(self, number: int) -> None:
        """Make so many characters of text."""
        self._characters -= number
        if self._characters < 0:
            raise Overrun(f"the template makes more than {self._max[1]} characters")
