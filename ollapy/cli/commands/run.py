"""`ollapy run`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import typer

from .registry import Insecure
from .run_options import (
    AsJson,
    Dimensions,
    Format,
    HideThinking,
    KeepAlive,
    Model,
    ModelOptions,
    NoWordWrap,
    Plain,
    Prompt,
    System,
    Think,
    Truncate,
    Verbose,
)

A = TypeVar("A")
T = TypeVar("T")


def run(
    model: Model,
    prompt: Prompt = None,
    think: Think = None,
    hidethinking: HideThinking = False,
    keepalive: KeepAlive = None,
    verbose: Verbose = False,
    nowordwrap: NoWordWrap = False,
    plain: Plain = False,
    format_: Format = None,
    system: System = "",
    option: ModelOptions = None,
    as_json: AsJson = False,
    truncate: Truncate = None,
    dimensions: Dimensions = None,
    insecure: Insecure = False,
) -> None:
    """Chat with a model, or have it answer one prompt.

    Text piped in goes before the prompt. The paths of images in it are given to a model that sees. The daemon is started if none is running, and stays.
    A model that is not on this machine is downloaded first.

    Examples: `ollapy run tiny`, `ollapy run tiny "Tell me a joke"`, `ollapy run tiny < question.txt`
    """
    from ollapy.cli.arguments import duration_of, format_of, options_of, pair_of
    from ollapy.cli.running import Run
    from ollapy.cli.style import Style

    if keepalive:
        _parsed("--keepalive", duration_of, keepalive)
    Run(
        model,
        prompt,
        None if think is None else _parsed("--think", _level, think),
        keepalive,
        format_ and _parsed("--format", format_of, format_),
        system or None,
        _parsed("--option", options_of, map(pair_of, option or [])),
        truncate,
        dimensions,
        insecure,
        as_json,
        Style(not hidethinking, not nowordwrap, verbose, not plain),
    ).carry_out()


def _parsed(option: str, parse: Callable[[A], T], given: A) -> T:
    """The value of an option; what is wrong with it is a mistake in the command line."""
    from ollapy.errors import InvalidRequest

    try:
        return parse(given)
    except InvalidRequest as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def _level(think: str) -> bool | int | str:
    from ollapy.cli.arguments import level_of
    from ollapy.errors import InvalidRequest

    if (level := level_of(think)) is None:
        raise InvalidRequest(
            f"{think!r} is not true, false, high, medium, low, max or a number of tokens"
        )
    return level
