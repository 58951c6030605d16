"""The `ollapy` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ollapy.errors import OllapyError

from .commands import copy, list, ps, remove, run, serve, show, stop

app = typer.Typer(
    name="ollapy",
    help="Run language models on your own machine.",
    epilog="Example: ollapy run tiny 'Tell me a joke'",
    rich_markup_mode=None,  # plain help; rich alone would double the time it takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("start", hidden=True)(serve.serve)
app.command("run")(run.run)
app.command("list")(list.list_models)
app.command("ls", hidden=True)(list.list_models)
app.command("ps")(ps.ps)
app.command("show")(show.show)
app.command("stop")(stop.stop)
app.command("cp")(copy.copy)
app.command("rm")(remove.remove)


@app.callback(invoke_without_command=True)
def root(
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


def main() -> None:
    """Run a command; every expected failure is one line on stderr and exit status 1."""
    try:
        app()
    except OllapyError as exc:
        sys.stderr.write(f"Error: {exc}\n")
        sys.exit(1)
