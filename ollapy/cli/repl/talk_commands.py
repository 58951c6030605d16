"""The commands that act on the conversation."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ollapy.cli.output import nearest, talk
from ollapy.errors import InvalidName, ModelNotFound, OllapyError

from .command import Command
from .help import help_on
from .set_commands import set_system

if TYPE_CHECKING:
    from .session import Session

_NOTHING = "There is no answer yet."


def _load(session: Session, name: str) -> None:
    if not name:
        talk("Usage: /load MODEL")
        return
    talk(f"Loading model '{name}'")
    try:
        session.load(name)
    except ModelNotFound:
        near = nearest(name)
        meant = f", did you mean '{near}'?" if near else ""
        talk(f"Couldn't find model '{name}'{meant}")


def _save(session: Session, name: str) -> None:
    from ollapy.cli.called import check_name

    conversation = session.conversation
    try:
        check_name(name)
    except InvalidName:
        talk(f"error: The model name '{name}' is invalid")
        return
    behind = session.client.show(conversation.model).messages or []
    for _ in session.client.create(conversation.saving(name, behind)):
        pass
    talk(f"Created new model '{name}'")


def _clear(session: Session, _rest: str) -> None:
    session.conversation.messages.clear()
    session.final = None
    talk("Cleared session context")


def _undo(session: Session, _rest: str) -> None:
    question = session.conversation.undo()
    session.final = None
    talk(_NOTHING if question is None else f"Forgot: {_short(question.content or '')}")


def _retry(session: Session, _rest: str) -> None:
    """The answer that there was stays where no other comes."""
    before = list(session.conversation.messages)
    question = session.conversation.undo()
    if question is None:
        talk(_NOTHING)
        return
    try:
        session.answer(question)
    finally:
        if len(session.conversation.messages) < len(before):
            session.conversation.messages = before


def _copy(session: Session, _rest: str) -> None:
    """By way of the terminal (OSC 52), which also reaches the clipboard from another machine."""
    if not (answer := session.conversation.answer):
        talk(_NOTHING)
        return
    encoded = base64.b64encode(answer.encode()).decode()
    sys.stdout.write(f"\x1b]52;c;{encoded}\x07")
    sys.stdout.flush()
    talk("Gave the last answer to the terminal to copy.")


def _export(session: Session, name: str) -> None:
    if not name:
        talk("Usage: /export FILE.md")
        return
    path = Path(name).expanduser()
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(session.conversation.markdown())
    except OSError as exc:
        raise OllapyError(f"could not write '{name}': {exc.strerror}") from exc
    talk(f"Wrote {path}")


def _system(session: Session, text: str) -> None:
    if text:
        set_system(session, text)
    else:
        session.obey("/show system")


def _list(_session: Session, prefix: str) -> None:
    from ollapy.cli.commands.list import list_models

    list_models(prefix)


def _bye(session: Session, _rest: str) -> None:
    session.has_ended = True


def _help(session: Session, topic: str) -> None:
    talk(help_on(topic, session.commands))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:60]}..."


TALK_COMMANDS = (
    Command("/retry", "", "Have the last message answered again", _retry),
    Command("/undo", "", "Forget the last message and its answer", _undo),
    Command("/copy", "", "Copy the last answer to the clipboard", _copy),
    Command("/export", "FILE.md", "Write the conversation to a file", _export),
    Command("/system", "[TEXT]", "Show or set the system message", _system),
    Command("/clear", "", "Clear session context", _clear),
    Command(
        "/load",
        "MODEL",
        "Talk to another model",
        _load,
        choices=lambda session: session.model_names(),
    ),
    Command("/save", "MODEL", "Make a model of this conversation", _save),
    Command("/list", "[PREFIX]", "List the models on this machine", _list),
    Command("/bye", "", "Exit", _bye, also=("/exit",)),
    Command(
        "/?",
        "[TOPIC]",
        "Help; on set, show or shortcuts",
        _help,
        also=("/help",),
        choices=lambda _: ("set", "show", "shortcuts"),
    ),
)
