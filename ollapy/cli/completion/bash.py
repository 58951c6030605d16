"""Names with colons in bash, which takes a colon for the end of a word and offers to complete what follows it."""

from __future__ import annotations

from typing import Any

# Typer has no public way to the class of a shell. The tests drive a real bash.
from typer import _completion_classes as shells


class Bash(shells.BashComplete):
    """Words that bash has cut at colons are put together, and of what fits only the part behind the colon is offered."""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        *whole, last = joined([*args, incomplete])
        self._begin = last.rpartition(":")[0]
        return whole, last

    def format_completion(self, item: Any) -> str:
        text = super().format_completion(item)
        return text.removeprefix(f"{self._begin}:") if self._begin else text


def joined(words: list[str]) -> list[str]:
    """The words with those put together that a colon is between; an empty one at the end after a colon is none."""
    whole: list[str] = []
    for word in words:
        goes_on = bool(whole) and (word.startswith(":") or whole[-1].endswith(":"))
        whole = [*whole[:-1], whole[-1] + word] if goes_on else [*whole, word]
    return whole


def install() -> None:
    """Have Typer use it."""
    shells.add_completion_class(Bash, "bash")  # type: ignore[attr-defined]
