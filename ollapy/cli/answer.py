"""An answer as it comes, on a terminal or into a file or pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ollapy.api.ollama import ChatResponse, GenerateResponse, InferenceResponse
from ollapy.api.report import ContextReport
from ollapy.settings import has_colours, has_escapes
from ollapy.text import clean

from .ending import end_in_order
from .figures import statistics
from .output import talk
from .spinner import Spinner
from .style import Style
from .wrap import Wrap

if TYPE_CHECKING:
    from .markdown import Stream

_GREY, _RESET = "\x1b[90m", "\x1b[0m"
_MARGIN = 2  # columns that stay free


class AnswerPrinter:
    """Writes thinking, in grey, on a terminal only, and content everywhere.

    A terminal gets the model's control characters as escapes, and its Markdown rendered or at least its lines broken
    between words; a file or pipe gets the text unchanged. A context manager: however an answer ends, the terminal has
    its own colour again.
    """

    def __init__(self, style: Style, spinner: Spinner) -> None:
        self.style = style
        self.text = ""  # the content so far
        self._is_terminal = sys.stdout.isatty()
        self._show_thinking = style.thinking and self._is_terminal
        self._grey, self._reset = (_GREY, _RESET) if has_colours() else ("", "")
        self._wrap = self._new_wrap()
        self._markdown: Stream | None = None
        # it takes a while to import, in which the model reads, and which nobody waits for who leaves
        self._import = Thread(
            target=import_module, args=("ollapy.cli.markdown",), daemon=True
        )
        self._begun = ""  # what is written meanwhile
        self._spinner = spinner
        self._is_thinking = False
        self._is_empty = True

    def __enter__(self) -> Self:
        if self._is_terminal:
            end_in_order()
        self._spinner.start()
        if self._is_rendered:
            self._import.start()
        return self

    @property
    def _is_rendered(self) -> bool:
        return self.style.markdown and self._wrap is not None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._spinner.stop()
        if kind is not None and issubclass(kind, OSError):  # stdout itself has failed
            return
        if self._is_thinking:
            self._write(self._reset)
        goes_on = kind is None or issubclass(kind, Exception)
        if (self._markdown or self._begun) and goes_on:
            self._write(self._stream().finish())
        if not self._is_empty and kind is not KeyboardInterrupt:
            self._write("\n\n" if self._is_terminal and kind is None else "\n")

    def thinking(self, text: str) -> None:
        """A piece of the model's thought."""
        if self._show_thinking and text:
            if not self._is_thinking:
                self._is_thinking = True  # before the colour, which it gives back
                self._write(f"{self._grey}Thinking...\n")
            self._write(self._shown(text))

    def content(self, text: str) -> None:
        """A piece of the answer."""
        if text:
            self._end_thinking()
            self._write(self._rendered(text) if self._is_terminal else text)
            self.text += text

    def _end_thinking(self) -> None:
        if self._is_thinking:
            self._write(f"\n...done thinking.{self._reset}\n\n")
            self._wrap = self._new_wrap()
        self._is_thinking = False

    def _new_wrap(self) -> Wrap | None:
        if not (self._is_terminal and self.style.wordwrap and has_escapes()):
            return None
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
        return Wrap(columns) if columns else None

    def _rendered(self, text: str) -> str:
        """The text as the terminal takes it; before Markdown can be rendered a first line as it comes."""
        if not self._is_rendered:
            return self._shown(text)
        harmless = clean(text, keep="\n\t")
        if self._import.is_alive() and self._fits(self._begun + harmless):
            self._begun += harmless
            return harmless
        return self._stream().feed(harmless)

    def _fits(self, text: str) -> bool:
        """Whether it is plainly on one line, so that it can be written anew."""
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
        return text.isascii() and text.isprintable() and len(text) < columns - _MARGIN

    def _stream(self) -> Stream:
        if self._markdown is None:
            # an import that a signal breaks off leaves its locks to nobody; this wait it may break off
            self._import.join()
            from .markdown import Stream

            self._markdown = Stream(sys.stdout, begun=self._begun)
        return self._markdown

    def _shown(self, text: str) -> str:
        harmless = clean(text, keep="\n\t")
        return self._wrap.feed(harmless) if self._wrap else harmless

    def warn(self, text: str) -> None:
        """Something about the answer that is to be known before it."""
        self._spinner.stop()
        talk(f"Warning: {text}")

    def _write(self, text: str) -> None:
        self._spinner.stop()
        self._is_empty = False
        sys.stdout.write(text)
        sys.stdout.flush()


def print_answer(
    records: Iterable[GenerateResponse | ChatResponse], printer: AnswerPrinter
) -> InferenceResponse | None:
    """Print the records as they come, and what there is to know of them; the last one is given back.

    What did not fit into the context is said before the answer that lacks it.
    """
    final: InferenceResponse | None = None
    context: ContextReport | None = None
    with printer:
        for final in records:
            if context is None and final.ollapy:
                context = final.ollapy.context
                if context.dropped_messages:
                    printer.warn(_left_out(context))
            thought, content = _pieces(final)
            printer.thinking(thought or "")
            printer.content(content or "")
    if final:
        _talk_about(final, context, verbose=printer.style.verbose)
    return final


def _pieces(record: GenerateResponse | ChatResponse) -> tuple[str | None, str | None]:
    if isinstance(record, GenerateResponse):
        return record.thinking, record.response
    return record.message.thinking, record.message.content


def _left_out(context: ContextReport) -> str:
    return (
        f"the {context.dropped_messages} oldest messages were left out, "
        f"the context holds {context.limit} tokens"
    )


def _talk_about(
    final: InferenceResponse, begun: ContextReport | None, *, verbose: bool
) -> None:
    """Whether the context filled up, whether the answer was cut, and with `verbose` the figures."""
    if begun and final.ollapy:
        dropped = final.ollapy.context.dropped_tokens - begun.dropped_tokens
        if dropped > 0:
            talk(
                f"Warning: the context was full, its {dropped} oldest tokens were dropped to go on"
            )
    if final.done_reason == "length":
        talk("Warning: the answer is cut off, it reached the limit of its length")
    if verbose:
        talk(statistics(final))


def whole_answer(records: Iterable[GenerateResponse]) -> dict[str, Any]:
    """The final record, with all of the text as `content` and all of the thought as `thinking`."""
    thought, content = "", ""
    final: dict[str, Any] = {}
    for record in records:
        thought += record.thinking or ""
        content += record.response
        if record.done:
            final = msgspec.to_builtins(record)
    for name in ("response", "thinking", "context", "done"):
        final.pop(name, None)
    report = final.pop("ollapy", {})
    return {"content": content, "thinking": thought, **final, **report}
