"""`ollapy run`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # these cost more than all of `ollapy --help`
    from ollapy.api.ollama import ChatRequest, GenerateRequest
    from ollapy.client import Client

_LEVELS = {
    "true": True,
    "false": False,
    "high": "high",
    "medium": "medium",
    "low": "low",
    "max": "max",
}


def run(
    model: str,
    prompt: Annotated[
        list[str] | None,
        typer.Argument(show_default=False, help="Answer this and exit."),
    ] = None,
    think: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL",
            help="true, false, low, medium, high or max.",
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
) -> None:
    """Chat with a model, or have it answer one prompt.

    Text piped in goes before the prompt. The daemon is started if none is running, and stays.

    Examples: `ollapy run tiny`, `ollapy run tiny "Tell me a joke"`, `ollapy run tiny < question.txt`
    """
    if think is not None and think not in _LEVELS:
        raise typer.BadParameter(
            f"{think!r} is not true, false, high, medium, low or max",
            param_hint="--think",
        )
    from ollapy.api.ollama import ChatRequest, GenerateRequest
    from ollapy.cli.background import ensure_daemon
    from ollapy.cli.session import connect
    from ollapy.settings import Settings
    from ollapy.units import parse_duration

    if keepalive:
        parse_duration(keepalive)
    level = None if think is None else _LEVELS[think]
    text = _prompt(prompt)
    with connect() as client:
        ensure_daemon(Settings.from_env(), client)
        shown = client.show(model)
        if "completion" not in shown.capabilities:
            _embed(client, model, text)
        elif (
            text
            or prompt is not None
            or not (sys.stdin.isatty() and sys.stdout.isatty())
        ):
            request = GenerateRequest(
                model=model, prompt=text, think=level, keep_alive=keepalive
            )
            _answer(client, request, show_thinking=not hidethinking, verbose=verbose)
        else:
            template = ChatRequest(model=model, think=level, keep_alive=keepalive)
            _converse(client, template, show_thinking=not hidethinking, verbose=verbose)


def _prompt(words: list[str] | None) -> str:
    """What was piped in, then the words of the command line."""
    piped = (
        "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip("\n")
    )
    return "\n".join(part for part in (piped, " ".join(words or [])) if part)


def _answer(
    client: Client, request: GenerateRequest, *, show_thinking: bool, verbose: bool
) -> None:
    from ollapy.cli.output import AnswerPrinter, statistics, talk

    printer = AnswerPrinter(show_thinking=show_thinking)
    for record in client.generate(request):
        printer.thinking(record.thinking or "")
        printer.content(record.response)
        if record.done and record.done_reason != "load":
            printer.finish()
            if verbose:
                talk(statistics(record))


def _converse(
    client: Client, template: ChatRequest, *, show_thinking: bool, verbose: bool
) -> None:
    from ollapy.cli.repl import Session

    for _ in client.chat(
        template
    ):  # no messages: load the model, so that what is wrong shows now
        pass
    Session(client, template, show_thinking, verbose).run()


def _embed(client: Client, model: str, text: str) -> None:
    import msgspec

    from ollapy.api.ollama import EmbedRequest
    from ollapy.errors import InvalidRequest

    if not text:
        raise InvalidRequest(
            f'embedding models require input text. Usage: ollapy run {model} "your text here"'
        )
    print(
        msgspec.json.encode(
            client.embed(EmbedRequest(model, text)).embeddings[0]
        ).decode()
    )
