"""The commands that change how answers are asked for and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ollapy.api.options import Options
from ollapy.cli.arguments import LEVELS, format_of, level_of, options_of
from ollapy.cli.output import talk
from ollapy.errors import OllapyError

from .command import Command

if TYPE_CHECKING:
    from .session import Session

_NAMES = tuple(Options.__annotations__)


def _parameter(session: Session, rest: str) -> None:
    name, _, value = rest.partition(" ")
    if not value:
        talk(f"Usage: /set parameter NAME VALUE\nParameters: {', '.join(_NAMES)}")
        return
    values = value.split() if name in ("stop", "choice") else [value.strip()]
    try:
        session.conversation.options |= options_of((name, text) for text in values)
    except OllapyError as exc:
        talk(f'Couldn\'t set parameter: "{exc}"')
        return
    talk(f"Set parameter '{name}' to '{', '.join(values)}'")


def set_system(session: Session, rest: str) -> None:
    """Of a text in triple quotes, what is between them."""
    text = rest.removeprefix('"""').removesuffix('"""').strip("\n")
    if not text:
        talk("Usage: /set system TEXT")
        return
    session.conversation.system = text
    talk("Set system message.")


def _format(session: Session, rest: str) -> None:
    if not rest:
        talk("Invalid or missing format. For 'json' mode use '/set format json'")
        return
    try:
        session.conversation.format = format_of(rest)
    except OllapyError as exc:
        talk(f"Couldn't set format: {exc}")
        return
    talk(f"Set format to '{rest}' mode.")


def _noformat(session: Session, _rest: str) -> None:
    session.conversation.format = None
    talk("Disabled format.")


def _think(session: Session, rest: str) -> None:
    level = level_of(rest or "true")
    if level is None:
        talk(f"Couldn't set think: '{rest}' is none of {', '.join(LEVELS)}")
        return
    _set_think(session, level)
    talk(f"Set 'think' mode to '{rest}'." if rest else "Set 'think' mode.")


def _nothink(session: Session, _rest: str) -> None:
    _set_think(session, False)
    talk("Set 'nothink' mode.")


def _set_think(session: Session, level: bool | int | str) -> None:
    model = session.conversation.model
    if level and "thinking" not in session.client.show(model).capabilities:
        talk(f'warning: model "{model}" does not support thinking output')
    session.conversation.think = level


def _switch(name: str, text: str, act: Callable[[Session], None]) -> Command:
    def switch(session: Session, _rest: str) -> None:
        act(session)
        talk(f"Set '{name}' mode.")

    return Command(f"/set {name}", "", text, switch)


def _wordwrap(on: bool) -> Callable[[Session], None]:
    return lambda session: setattr(session.style, "wordwrap", on)


def _markdown(on: bool) -> Callable[[Session], None]:
    return lambda session: setattr(session.style, "markdown", on)


def _verbose(on: bool) -> Callable[[Session], None]:
    return lambda session: setattr(session.style, "verbose", on)


def _history(on: bool) -> Callable[[Session], None]:
    return lambda session: setattr(session.prompt.history, "is_kept", on)


SET_COMMANDS = (
    Command(
        "/set parameter",
        "NAME VALUE",
        "Set an option, such as temperature",
        _parameter,
        choices=lambda _: _NAMES,
    ),
    Command("/set system", "TEXT", "Set the system message", set_system),
    Command(
        "/set format",
        "json|FILE",
        "Have answers in JSON, or as a file with a schema says",
        _format,
        choices=lambda _: ("json",),
    ),
    Command("/set noformat", "", "Have answers in no particular form", _noformat),
    Command(
        "/set think",
        "[LEVEL]",
        "Have the model think first",
        _think,
        choices=lambda _: LEVELS,
    ),
    Command("/set nothink", "", "Have the model not think", _nothink),
    _switch("verbose", "Show timings after each answer", _verbose(True)),
    _switch("quiet", "Show no timings", _verbose(False)),
    _switch("wordwrap", "Break lines between words", _wordwrap(True)),
    _switch("nowordwrap", "Break lines where the terminal does", _wordwrap(False)),
    _switch("markdown", "Render Markdown", _markdown(True)),
    _switch("nomarkdown", "Show Markdown as it was written", _markdown(False)),
    _switch("history", "Remember what you type", _history(True)),
    _switch("nohistory", "Do not remember what you type", _history(False)),
)
