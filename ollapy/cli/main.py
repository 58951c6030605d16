"""The `ollapy` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import NoReturn

from ollapy.errors import OllapyError
from ollapy.settings import is_completing

from . import streams
from .output import complain

_INTERRUPTED = 130
_GARBAGE = 50_000  # objects more before some is looked for: imports make many, and none


def main() -> None:
    """Run a command: what goes wrong is one line on stderr.

    Exit status: 0 done, 1 an error, 2 a mistake in the command line, 130 Ctrl-C.
    """
    gc.set_threshold(_GARBAGE)
    streams.prepare()
    if is_completing():
        _complete()
    try:
        _run(_arguments(sys.argv[1:]))
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
    import typer

    from .app import application
    from .completion import bash

    command = typer.main.get_command(application())
    bash.install()
    try:
        command(prog_name="ollapy")
    except Exception:  # noqa: BLE001
        sys.exit(1)
    sys.exit(0)


def _run(words: list[str]) -> NoReturn:
    try:
        _obey(words)
        sys.exit(0)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as exc:
        if exc.code == _INTERRUPTED:
            _interrupted()
        raise
    finally:
        sys.stdout.flush()


def _interrupted() -> NoReturn:
    if sys.stderr.isatty():
        sys.stdout.flush()  # a word may be left of what was interrupted
        sys.stderr.write("\n")  # the terminal has shown ^C
    sys.exit(_INTERRUPTED)


def _obey(words: list[str]) -> None:
    """Do what the words say. A `run` without options needs no parser, whose import takes longer than many an answer."""
    if words[:1] == ["run"] and words[1:] and not any(w.startswith("-") for w in words):
        from .running import Run

        Run(words[1], words[2:] or None).carry_out()
    else:
        from .app import application

        application(words)(words)


def _arguments(words: Iterable[str]) -> list[str]:
    """The words as the parser takes them: `help X` is `X --help`, and `--think` alone means true, as in Ollama."""
    words = [*words]
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    end = words.index("--") if "--" in words else len(words)
    options = ("--think=true" if word == "--think" else word for word in words[:end])
    return [*options, *words[end:]]
