"""The commands that show what the model is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ollapy.api.ollama import ShowResponse
from ollapy.cli.output import print_text
from ollapy.cli.table import columns

from .command import Command

if TYPE_CHECKING:
    from .session import Session


def _info(_session: Session, shown: ShowResponse) -> str:
    from ollapy.cli.commands.show import summary

    return summary(shown, verbose=False) + "\n"


def _parameters(session: Session, shown: ShowResponse) -> str:
    given = session.conversation.options.items()
    lines = columns((f"  {name}", str(value)) for name, value in given)
    own = [f"  {line}" for line in shown.parameters.splitlines()]
    none = "No parameters were specified for this model."
    parts = [
        "\n".join(["Model defined parameters:", *own]) if own else none,
        "\n".join(["User defined parameters:", *lines]) if lines else "",
    ]
    return "\n\n".join(filter(None, parts))


def _system(session: Session, shown: ShowResponse) -> str:
    return session.conversation.system or shown.system or _none("system message")


def _none(what: str) -> str:
    return f"No {what} was specified for this model."


def _show(
    name: str, text: str, view: Callable[[Session, ShowResponse], str]
) -> Command:
    def act(session: Session, _rest: str) -> None:
        print_text(view(session, session.client.show(session.conversation.model)))

    return Command(f"/show {name}", "", text, act)


SHOW_COMMANDS = (
    _show("info", "Show what the model is", _info),
    _show("license", "Show its licence", lambda _, m: m.license or _none("license")),
    _show("modelfile", "Show its Modelfile", lambda _, m: m.modelfile),
    _show("parameters", "Show its parameters, and those you have set", _parameters),
    _show("system", "Show the system message", _system),
    _show(
        "template", "Show its template", lambda _, m: m.template or _none("template")
    ),
)
