"""Prompt: where entries are typed. The only module that knows prompt_toolkit, but for the history."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from ollapy.cli.ending import end_in_order
from ollapy.cli.output import complain, talk
from ollapy.settings import Settings, has_colours, has_escapes

from .command import Candidate
from .entry import is_unfinished
from .history import EntryHistory

_PLACEHOLDER = "Send a message (/? for help)"
_STYLE = Style.from_dict(
    {
        "placeholder": "ansibrightblack",
        "bottom-toolbar": "noreverse ansibrightblack",
        "completion-menu": "noinherit",
        "completion-menu.completion": "noinherit",
        "completion-menu.completion.current": "noinherit reverse",
        "completion-menu.meta.completion": "noinherit ansibrightblack",
        "completion-menu.meta.completion.current": "noinherit ansibrightblack",
    }
)


class Prompt:
    """Reads entries. `candidates` says how an entry could go on, `status` what is on the bottom line."""

    def __init__(
        self,
        candidates: Callable[[str], Iterable[Candidate]],
        status: Callable[[], str],
    ) -> None:
        settings = Settings.from_env()
        self.history = EntryHistory(settings.history, is_kept=settings.keep_history)
        self._editor: PromptSession[str] | None = None
        if has_escapes():
            self._editor = self._new_editor(settings.editor, candidates, status)

    def read(self) -> str:
        """One entry. Ctrl-D is EOFError, Ctrl-C on an empty line KeyboardInterrupt."""
        try:
            entry = (
                self._editor.prompt(pre_run=_end_in_order)
                if self._editor
                else _read_plainly()
            )
        finally:
            end_in_order()  # the editor's loop takes its handlers along
        if problem := self.history.take_problem():
            talk(f"Warning: {problem}")
        return entry

    def _new_editor(
        self,
        editor: str,
        candidates: Callable[[str], Iterable[Candidate]],
        status: Callable[[], str],
    ) -> PromptSession[str]:
        return PromptSession(
            ">>> ",
            multiline=True,
            prompt_continuation=_continuation,
            placeholder=_placeholder,
            completer=_CommandCompleter(candidates),
            complete_while_typing=_is_command,
            reserve_space_for_menu=6,
            bottom_toolbar=lambda: FormattedText([("class:bottom-toolbar", status())]),
            style=_STYLE,
            color_depth=None if has_colours() else ColorDepth.MONOCHROME,
            history=self.history,
            key_bindings=_keys(editor, candidates),
            enable_suspend=True,
        )


def _end_in_order() -> None:
    """Told to end, the editor leaves the terminal as it was."""
    leave = partial(get_app().exit, exception=SystemExit(128 + signal.SIGTERM))
    with suppress(NotImplementedError):  # Windows has no such signal
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)


def _read_plainly() -> str:
    """An entry from a terminal that can only print."""
    entry = input(">>> ")
    while is_unfinished(entry):
        entry += "\n" + input("... ")
    return entry


class _CommandCompleter(Completer):
    def __init__(self, candidates: Callable[[str], Iterable[Candidate]]) -> None:
        self._candidates = candidates

    def get_completions(
        self, document: Document, _event: CompleteEvent
    ) -> Iterable[Completion]:
        for text, about, length in self._candidates(document.text_before_cursor):
            yield Completion(text, -length, display_meta=about)


def _continuation(width: int, _line: int, is_wrapped: int) -> str:
    """What is before a line of one's own, and before the rest of one that is too long."""
    return " " * width if is_wrapped else "... "


def _placeholder() -> FormattedText:
    """As much of it as fits on the line."""
    columns = get_app().output.get_size().columns - len(">>> ") - 1
    return FormattedText([("class:placeholder", _PLACEHOLDER[:columns])])


@Condition
def _is_command() -> bool:
    return get_app().current_buffer.text.startswith("/")


def _keys(editor: str, candidates: Callable[[str], Iterable[Candidate]]) -> KeyBindings:
    """What is not as in every Emacs."""
    keys = KeyBindings()
    keys.add("enter")(_enter)
    keys.add("c-j")(_new_line)
    keys.add("c-c")(_drop)
    keys.add("c-g")(_edit_with(editor))
    keys.add("tab", filter=~_is_command)(_indent)
    keys.add("tab", filter=_is_command)(_complete_from(candidates))
    return keys


def _enter(event: KeyPressEvent) -> None:
    buffer = event.current_buffer
    if is_unfinished(buffer.text):
        buffer.insert_text("\n")
    else:
        buffer.validate_and_handle()


def _new_line(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text("\n")


def _indent(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text(" " * 8)


def _drop(event: KeyPressEvent) -> None:
    if event.current_buffer.text:
        event.current_buffer.reset()
    else:
        event.app.exit(exception=KeyboardInterrupt)


def _edit_with(editor: str) -> Callable[[KeyPressEvent], None]:
    """An empty editor is the one that VISUAL or EDITOR names."""

    def edit(buffer: Buffer) -> None:
        try:
            text = click.edit(
                buffer.text, editor or None, extension=".md", require_save=False
            )
        except click.ClickException as exc:
            complain(exc)
            return
        buffer.document = Document((text or "").rstrip("\n"))

    def begin(event: KeyPressEvent) -> None:
        run_in_terminal(partial(edit, event.current_buffer))

    return begin


def _complete_from(
    candidates: Callable[[str], Iterable[Candidate]],
) -> Callable[[KeyPressEvent], None]:
    def complete(event: KeyPressEvent) -> None:
        """At once where there is one way to go on; the menu takes its time."""
        buffer = event.current_buffer
        match [*candidates(buffer.document.text_before_cursor)]:
            case [only]:
                buffer.delete_before_cursor(only.length)
                buffer.insert_text(only.text)
            case [_, *_] if buffer.complete_state:
                buffer.complete_next()
            case [_, *_]:
                buffer.start_completion(insert_common_part=True)

    return complete
