"""What commands print: results on stdout, talk on stderr, nothing that drives the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ollapy.api.ollama import InferenceResponse
from ollapy.text import clean
from ollapy.units import format_duration

_GREY, _RESET = "\x1b[90m", "\x1b[0m"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Left-aligned columns, four spaces apart."""
    cells = [[clean(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = (
        "".join(f"{cell:<{width + 4}}" for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "\n".join(line.rstrip() for line in padded)


def talk(line: str) -> None:
    """A line for the person, not for the program that reads stdout."""
    print(line, file=sys.stderr)


class AnswerPrinter:
    """Writes an answer as it comes: thinking in grey on a terminal and not at all elsewhere.

    A terminal gets the model's control characters as escapes, a file or pipe gets its text unchanged.
    """

    def __init__(self, *, show_thinking: bool) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._show_thinking = show_thinking and self._is_terminal
        self._is_thinking = False

    def thinking(self, text: str) -> None:
        """A piece of the model's thought."""
        if self._show_thinking and text:
            if not self._is_thinking:
                self._write(f"{_GREY}Thinking...\n")
            self._is_thinking = True
            self._write(clean(text, keep="\n\t"))

    def content(self, text: str) -> None:
        """A piece of the answer."""
        if text:
            self._end_thinking()
            self._write(clean(text, keep="\n\t") if self._is_terminal else text)

    def finish(self) -> None:
        """The end of the answer, whole or not."""
        self._end_thinking()
        self._write("\n\n" if self._is_terminal else "\n")

    def _end_thinking(self) -> None:
        if self._is_thinking:
            self._write(f"\n...done thinking.{_RESET}\n\n")
        self._is_thinking = False

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def statistics(final: InferenceResponse) -> str:
    """The figures of `--verbose`, one a line, those that are zero left out."""
    rows = (
        (
            "total duration:",
            final.total_duration and format_duration(final.total_duration),
        ),
        (
            "load duration:",
            final.load_duration and format_duration(final.load_duration),
        ),
        (
            "prompt eval count:",
            final.prompt_eval_count and f"{final.prompt_eval_count} token(s)",
        ),
        (
            "prompt eval duration:",
            final.prompt_eval_duration and format_duration(final.prompt_eval_duration),
        ),
        (
            "prompt eval rate:",
            _rate(final.prompt_eval_count, final.prompt_eval_duration),
        ),
        ("eval count:", final.eval_count and f"{final.eval_count} token(s)"),
        (
            "eval duration:",
            final.eval_duration and format_duration(final.eval_duration),
        ),
        ("eval rate:", _rate(final.eval_count, final.eval_duration)),
    )
    return "\n".join(f"{label:<22}{value}" for label, value in rows if value)


def _rate(count: int, nanoseconds: int) -> str:
    return f"{count / nanoseconds * 1e9:.2f} tokens/s" if count and nanoseconds else ""
