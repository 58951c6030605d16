"""An answer as it comes, on a terminal or into a file or pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from ollapy.api.ollama import ChatResponse, GenerateResponse, InferenceResponse
from ollapy.settings import has_colours
from ollapy.text import clean
from ollapy.units import format_duration

from .output import talk

_GREY, _RESET = "\x1b[90m", "\x1b[0m"


class AnswerPrinter:
    """Writes thinking, in grey, on a terminal only, and content everywhere.

    A terminal gets the model's control characters as escapes, a file or pipe gets its text unchanged.
    A context manager: however an answer ends, the terminal has its own colour again.
    """

    def __init__(self, *, show_thinking: bool) -> None:
        self.text = ""  # the content so far
        self._is_terminal = sys.stdout.isatty()
        self._show_thinking = show_thinking and self._is_terminal
        self._grey, self._reset = (_GREY, _RESET) if has_colours() else ("", "")
        self._is_thinking = False
        self._is_empty = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and issubclass(kind, OSError):  # stdout itself has failed
            return
        if self._is_thinking:
            self._write(self._reset)
        if not self._is_empty and kind is not KeyboardInterrupt:
            self._write("\n\n" if self._is_terminal and kind is None else "\n")

    def thinking(self, text: str) -> None:
        """A piece of the model's thought."""
        if self._show_thinking and text:
            if not self._is_thinking:
                self._write(f"{self._grey}Thinking...\n")
            self._is_thinking = True
            self._write(clean(text, keep="\n\t"))

    def content(self, text: str) -> None:
        """A piece of the answer."""
        if text:
            self._end_thinking()
            self._write(clean(text, keep="\n\t") if self._is_terminal else text)
            self.text += text

    def _end_thinking(self) -> None:
        if self._is_thinking:
            self._write(f"\n...done thinking.{self._reset}\n\n")
        self._is_thinking = False

    def _write(self, text: str) -> None:
        self._is_empty = False
        sys.stdout.write(text)
        sys.stdout.flush()


def print_answer(
    records: Iterable[GenerateResponse | ChatResponse],
    printer: AnswerPrinter,
    *,
    verbose: bool,
) -> None:
    """Print the records as they come, and after the last one what there is to know about it."""
    final: InferenceResponse | None = None
    with printer:
        for final in records:
            thought, content = _pieces(final)
            printer.thinking(thought or "")
            printer.content(content or "")
    if final:
        talk_about(final, verbose=verbose)


def _pieces(record: GenerateResponse | ChatResponse) -> tuple[str | None, str | None]:
    if isinstance(record, GenerateResponse):
        return record.thinking, record.response
    return record.message.thinking, record.message.content


def talk_about(final: InferenceResponse, *, verbose: bool) -> None:
    """Whether the answer or its prompt was cut, and with `verbose` the figures."""
    report = final.ollapy.context if final.ollapy else None
    if report and report.dropped_messages:
        talk(
            f"Warning: the {report.dropped_messages} oldest messages were left out, "
            f"the context holds {report.limit} tokens"
        )
    if final.done_reason == "length":
        talk("Warning: the answer is cut off, it reached the limit of its length")
    if verbose:
        talk(statistics(final))


def statistics(final: InferenceResponse) -> str:
    """The figures of `--verbose`, one a line, those that are zero left out."""
    rows = (
        ("total duration:", _duration(final.total_duration)),
        ("load duration:", _duration(final.load_duration)),
        ("prompt eval count:", _count(final.prompt_eval_count)),
        ("prompt eval duration:", _duration(final.prompt_eval_duration)),
        (
            "prompt eval rate:",
            _rate(final.prompt_eval_count, final.prompt_eval_duration),
        ),
        ("eval count:", _count(final.eval_count)),
        ("eval duration:", _duration(final.eval_duration)),
        ("eval rate:", _rate(final.eval_count, final.eval_duration)),
    )
    return "\n".join(f"{label:<22}{value}" for label, value in rows if value)


def _duration(nanoseconds: int) -> str:
    return format_duration(nanoseconds) if nanoseconds else ""


def _count(tokens: int) -> str:
    return f"{tokens} token(s)" if tokens else ""


def _rate(tokens: int, nanoseconds: int) -> str:
    if not tokens or not nanoseconds:
        return ""
    return f"{tokens / nanoseconds * 1e9:.2f} tokens/s"
