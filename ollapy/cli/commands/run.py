"""`ollapy run`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ollapy.cli import completion

from .pull import fetch
from .registry import Insecure

if TYPE_CHECKING:  # these cost more than all of `ollapy --help`
    from ollapy.api.ollama import EmbedRequest, GenerateRequest, ShowResponse
    from ollapy.cli.answer import Style
    from ollapy.client import Client

A = TypeVar("A")
T = TypeVar("T")


def run(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            autocompletion=completion.names,
            help="A model that is here, or a name as `ollapy pull` takes it.",
        ),
    ],
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
            autocompletion=completion.levels,
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
    nowordwrap: Annotated[
        bool, typer.Option("--nowordwrap", help="Do not break lines between words.")
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Show Markdown as it was written.")
    ] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="json|FILE",
            autocompletion=completion.forms,
            help="Have the answer in JSON, or as the JSON schema in a file says.",
            show_default=False,
        ),
    ] = None,
    system: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="What the model is told to be, instead of its own system message.",
            show_default=False,
        ),
    ] = "",
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="NAME=VALUE",
            autocompletion=completion.options,
            help="An option such as temperature=0; may come more than once.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print the answer with its thoughts, timings and context as one JSON object.",
        ),
    ] = False,
    truncate: Annotated[
        bool | None,
        typer.Option(
            "--truncate/--no-truncate",
            help="For an embedding: whether a text that is too long is cut, or an error.",
            show_default=False,
        ),
    ] = None,
    dimensions: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="For an embedding: its length.",
            show_default=False,
        ),
    ] = None,
    insecure: Insecure = False,
) -> None:
    """Chat with a model, or have it answer one prompt.

    Text piped in goes before the prompt. The paths of images in it are given to a model that sees. The daemon is started if none is running, and stays.
    A model that is not on this machine is downloaded first.

    Examples: `ollapy run tiny`, `ollapy run tiny "Tell me a joke"`, `ollapy run tiny < question.txt`
    """
    from ollapy.cli.arguments import format_of, options_of
    from ollapy.cli.called import check_called

    check_called(model)
    level = None if think is None else _parsed("--think", _level, think)
    if keepalive:
        _parsed("--keepalive", _duration, keepalive)
    form = format_ and _parsed("--format", format_of, format_)
    options = _parsed("--option", options_of, map(_pair, option or []))
    from ollapy.api.ollama import EmbedRequest, GenerateRequest, Message
    from ollapy.cli.answer import Style
    from ollapy.cli.session import connected

    text = _prompt(prompt or [])
    style = Style(not hidethinking, not nowordwrap, verbose, not plain)
    with connected(start=True) as client:
        shown = _show(client, model, insecure=insecure)
        if "completion" not in shown.capabilities:
            wanted = EmbedRequest(
                model,
                text,
                truncate=truncate,
                dimensions=dimensions,
                keep_alive=keepalive,
            )
            _embed(client, wanted)
        elif text or prompt is not None or as_json or not _is_terminal():
            from ollapy.cli.attachments import attached, takes_files

            said = attached(text) if takes_files(shown) else Message("user", text)
            asked = GenerateRequest(
                model,
                think=level,
                keep_alive=keepalive,
                format=form,
                options=options,
                system=system or None,
                prompt=said.content,
                images=said.images,
            )
            _answer(client, asked, style, as_json=as_json)
        else:
            from ollapy.cli.repl import Conversation, Session

            conversation = Conversation(model, level, keepalive, form, system, options)
            Session(client, conversation, style).run()


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


def _duration(keepalive: str) -> float:
    from ollapy.units import parse_duration

    return parse_duration(keepalive)


def _pair(option: str) -> tuple[str, str]:
    from ollapy.errors import InvalidRequest

    name, equals, value = option.partition("=")
    if not equals:
        raise InvalidRequest(f"'{option}' is not NAME=VALUE")
    return name, value


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
    client: Client, request: GenerateRequest, style: Style, *, as_json: bool
) -> None:
    from ollapy.cli.answer import AnswerPrinter, print_answer, whole_answer

    if as_json:
        from ollapy.cli.output import print_json

        print_json(whole_answer(client.generate(request)))
    else:
        print_answer(client.generate(request), AnswerPrinter(style))


def _embed(client: Client, request: EmbedRequest) -> None:
    from ollapy.cli.output import print_json
    from ollapy.errors import InvalidRequest

    if not request.input:
        raise InvalidRequest(
            f'embedding models require input text. Usage: ollapy run {request.model} "your text here"'
        )
    print_json(client.embed(request).embeddings[0])
