"""`ollapy run`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from .pull import fetch
from .registry import Insecure

if TYPE_CHECKING:  # these cost more than all of `ollapy --help`
    from ollapy.api.ollama import ChatRequest, GenerateRequest, ShowResponse
    from ollapy.client import Client

_LEVELS: dict[str, bool | str] = {
    "true": True,
    "false": False,
    "high": "high",
    "medium": "medium",
    "low": "low",
    "max": "max",
}


def run(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    prompt: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROMPT...]", show_default=False, help="Answer this and exit."
        ),
    ] = None,
    think: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL",
            help="--think alone, or --think= true, false, low, medium, high, max or a number of tokens.",
            show_default=False,
        ),
    ] = None,
    hidethinking: Annotated[
        bool, typer.Option("--hidethinking", help="Do not show the model's thoughts.")
    ] = False,
    keepalive: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long the model stays loaded, such as 5m.",
            show_default=False,
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show timings after each answer.")
    ] = False,
    insecure: Insecure = False,
) -> None:
    """Chat with a model, or have it answer one prompt.

    Text piped in goes before the prompt. The daemon is started if none is running, and stays.
    A model that is not on this machine is downloaded first.

    Examples: `ollapy run tiny`, `ollapy run tiny "Tell me a joke"`, `ollapy run tiny < question.txt`
    """
    _check_usage(think, keepalive)
    from ollapy.api.ollama import ChatRequest, GenerateRequest
    from ollapy.cli.session import connected

    level = None if think is None else _level(think)
    text = _prompt(prompt or [])
    with connected(start=True) as client:
        shown = _show(client, model, insecure=insecure)
        if "completion" not in shown.capabilities:
            _embed(client, model, text, keepalive)
        elif text or prompt is not None or not _is_terminal():
            asked = GenerateRequest(
                model, think=level, keep_alive=keepalive, prompt=text
            )
            _answer(client, asked, show_thinking=not hidethinking, verbose=verbose)
        else:
            template = ChatRequest(model, think=level, keep_alive=keepalive)
            _converse(client, template, show_thinking=not hidethinking, verbose=verbose)


def _level(think: str) -> bool | int | str | None:
    """As a request has it; None for what means nothing."""
    if think in _LEVELS:
        return _LEVELS[think]
    return int(think) if think.isdecimal() and len(think) < 10 else None


def _check_usage(think: str | None, keepalive: str | None) -> None:
    from ollapy.errors import InvalidRequest
    from ollapy.units import parse_duration

    if think is not None and _level(think) is None:
        raise typer.BadParameter(
            f"{think!r} is not true, false, high, medium, low, max or a number of tokens",
            param_hint="--think",
        )
    try:
        parse_duration(keepalive or "0")
    except InvalidRequest as exc:
        raise typer.BadParameter(str(exc), param_hint="--keepalive") from exc


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _prompt(words: Iterable[str]) -> str:
    """What was piped in, then the words of the command line."""
    from ollapy.errors import InvalidRequest

    try:
        piped = "" if sys.stdin.isatty() else sys.stdin.read().strip("\n")
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"what was piped in is not {exc.encoding} text") from exc
    return "\n".join(part for part in (piped, " ".join(words)) if part)


def _show(client: Client, model: str, *, insecure: bool) -> ShowResponse:
    """What the model is; one that is not here is brought here, from another program where that has it."""
    from ollapy.api.ollama import PullRequest
    from ollapy.errors import ModelNotFound

    try:
        return client.show(model)
    except ModelNotFound:
        fetch(client, PullRequest(model, insecure=insecure, local=True))
    return client.show(model)


def _answer(
    client: Client, request: GenerateRequest, *, show_thinking: bool, verbose: bool
) -> None:
    from ollapy.cli.answer import AnswerPrinter, print_answer

    printer = AnswerPrinter(show_thinking=show_thinking)
    print_answer(client.generate(request), printer, verbose=verbose)


def _converse(
    client: Client, template: ChatRequest, *, show_thinking: bool, verbose: bool
) -> None:
    from ollapy.cli.repl import Session

    for _ in client.chat(template):  # no messages: it loads, and what is wrong shows
        pass
    Session(client, template, show_thinking, verbose).run()


def _embed(client: Client, model: str, text: str, keepalive: str | None) -> None:
    import msgspec

    from ollapy.api.ollama import EmbedRequest
    from ollapy.errors import InvalidRequest

    if not text:
        raise InvalidRequest(
            f'embedding models require input text. Usage: ollapy run {model} "your text here"'
        )
    vectors = client.embed(EmbedRequest(model, text, keep_alive=keepalive)).embeddings
    print(msgspec.json.encode(vectors[0]).decode())
