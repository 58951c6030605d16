"""The application: the commands as Typer has them, each imported when it is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer


@dataclass(frozen=True, slots=True)
class _Command:
    """The function of a module that a command is, or where it has none of its own the commands that the module has."""

    module: str
    function: str = ""
    kind: str = ""  # of its help, where that is not the usual one
    hidden: bool = False

    def register(self, app: typer.Typer, name: str) -> None:
        """Have the application know it."""
        module = import_module(f".commands.{self.module}", __package__)
        if not self.function:
            app.add_typer(module.app, name=name)
            return
        more: dict[str, Any] = {"cls": getattr(module, self.kind)} if self.kind else {}
        app.command(name, hidden=self.hidden, **more)(getattr(module, self.function))


_COMMANDS = {
    "serve": _Command("serve", "serve", "Serve"),
    "start": _Command("serve", "serve", "Serve", hidden=True),
    "run": _Command("run", "run"),
    "pull": _Command("pull", "pull"),
    "push": _Command("push", "push"),
    "search": _Command("search", "search"),
    "list": _Command("list", "list_models"),
    "ls": _Command("list", "list_models", hidden=True),
    "ps": _Command("ps", "ps"),
    "top": _Command("top", "top"),
    "show": _Command("show", "show"),
    "create": _Command("create", "create"),
    "import": _Command("import_model", "import_models"),
    "stop": _Command("stop", "stop"),
    "cp": _Command("copy", "copy"),
    "rm": _Command("remove", "remove"),
    "du": _Command("du", "du"),
    "prune": _Command("prune", "prune"),
    "verify": _Command("verify", "verify"),
    "bench": _Command("bench", "bench"),
    "why": _Command("why", "why"),
    "doctor": _Command("doctor", "doctor"),
    "config": _Command("config"),
    "service": _Command("service"),
    "key": _Command("key"),
}


def application(words: Sequence[str] = ()) -> typer.Typer:
    """The application that obeys the words: with the one command that they begin with, otherwise with all."""
    first = words[0] if words else ""
    return _with([first] if first in _COMMANDS else _COMMANDS)


def _with(names: Iterable[str]) -> typer.Typer:
    app = typer.Typer(
        name="ollapy",
        help="Run language models on your own machine.",
        epilog="Example: ollapy run tiny 'Tell me a joke'",
        rich_markup_mode=None,  # plain help; rich alone would double the time it takes
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name in names:
        _COMMANDS[name].register(app, name)
    return app


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-v", help="Show the version and exit.")
    ] = False,
) -> None:
    """Run language models on your own machine."""
    if version:
        from .version import print_version

        print_version()
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
