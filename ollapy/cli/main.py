"""The `ollapy` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, NoReturn

import typer

from ollapy.errors import OllapyError
from ollapy.settings import is_completing

from . import streams
from .commands import (
    bench,
    config,
    copy,
    create,
    doctor,
    du,
    import_model,
    key,
    list,
    prune,
    ps,
    pull,
    push,
    remove,
    run,
    search,
    serve,
    service,
    show,
    stop,
    top,
    verify,
    why,
)
from .output import complain

_INTERRUPTED = 130

app = typer.Typer(
    name="ollapy",
    help="Run language models on your own machine.",
    epilog="Example: ollapy run tiny 'Tell me a joke'",
    rich_markup_mode=None,  # plain help; rich alone would double the time it takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve", cls=serve.Serve)(serve.serve)
app.command("start", hidden=True, cls=serve.Serve)(serve.serve)
app.command("run")(run.run)
app.command("pull")(pull.pull)
app.command("push")(push.push)
app.command("search")(search.search)
app.command("list")(list.list_models)
app.command("ls", hidden=True)(list.list_models)
app.command("ps")(ps.ps)
app.command("top")(top.top)
app.command("show")(show.show)
app.command("create")(create.create)
app.command("import")(import_model.import_models)
app.command("stop")(stop.stop)
app.command("cp")(copy.copy)
app.command("rm")(remove.remove)
app.command("du")(du.du)
app.command("prune")(prune.prune)
app.command("verify")(verify.verify)
app.command("bench")(bench.bench)
app.command("why")(why.why)
app.command("doctor")(doctor.doctor)


app.add_typer(config.app, name="config")
app.add_typer(service.app, name="service")
app.add_typer(key.app, name="key")


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
    """Run a command: what goes wrong is one line on stderr.

    Exit status: 0 done, 1 an error, 2 a mistake in the command line, 130 Ctrl-C.
    """
    streams.prepare()
    if is_completing():
        _complete()
    try:
        _run()
    except OllapyError as exc:
        complain(exc)
    except BrokenPipeError:  # the reader of the pipe has seen enough
        streams.discard_output()
    except OSError as exc:
        streams.discard_output()
        complain(OllapyError(exc.strerror or exc))
    except Exception as exc:
        from ollapy.settings import Settings

        if Settings.from_env().debug:
            raise
        complain(OllapyError(f"a bug in ollapy, OLLAPY_DEBUG=1 shows it: {exc!r}"))
    sys.exit(1)


def _complete() -> NoReturn:
    """Answer a shell, and never with an error, which would stand in the middle of a command line."""
    from .completion import bash

    command = typer.main.get_command(app)
    bash.install()
    try:
        command(prog_name="ollapy")
    except Exception:  # noqa: BLE001
        sys.exit(1)
    sys.exit(0)


def _run() -> NoReturn:
    try:
        app(_arguments(sys.argv[1:]))
        sys.exit(0)
    except SystemExit as exc:
        if exc.code == _INTERRUPTED and sys.stderr.isatty():
            sys.stdout.flush()  # a word may be left of what was interrupted
            sys.stderr.write("\n")  # the terminal has shown ^C
        raise
    finally:
        sys.stdout.flush()


def _arguments(words: Iterable[str]) -> Iterable[str]:
    """The words as the parser takes them: `help X` is `X --help`, and `--think` alone means true, as in Ollama."""
    words = [*words]
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    end = words.index("--") if "--" in words else len(words)
    options = ("--think=true" if word == "--think" else word for word in words[:end])
    return [*options, *words[end:]]
