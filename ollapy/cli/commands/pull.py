"""`ollapy pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ollapy.cli import completion

from .registry import AsJson, Insecure, Username, explained, password_of

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.ollama import PullRequest
    from ollapy.client import Client


def pull(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            autocompletion=completion.names,
            help="A name of Ollama's registry, hf.co/user/repository[:quantization], or host/name:tag.",
        ),
    ],
    insecure: Insecure = False,
    username: Username = None,
    limit_rate: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Bytes a second that are taken at most, such as 10MB.",
            show_default=False,
        ),
    ] = None,
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help="Use a copy that another program has on this machine, if there is one.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download models. What is here already is not downloaded again.

    The daemon is started if none is running, and stays.

    Examples: `ollapy pull mistral`, `ollapy pull hf.co/bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M`
    """
    max_rate = _max_rate(limit_rate)
    from ollapy.api.ollama import PullRequest
    from ollapy.cli.called import check_called
    from ollapy.cli.output import talk
    from ollapy.cli.session import connected, for_each

    password = password_of(username)

    def request(model: str) -> PullRequest:
        return PullRequest(
            model,
            insecure=insecure,
            username=username,
            password=password,
            limit_rate=max_rate,
            local=local,
        )

    with connected(start=True) as client:

        def act(model: str) -> None:
            if len(models) > 1:
                talk(f"{model}:")
            check_called(model)
            fetch(client, request(model), as_json=as_json)

        for_each(models, act)


def fetch(client: Client, request: PullRequest, *, as_json: bool = False) -> None:
    """Pull a model while its user watches, who may leave."""
    from ollapy.cli.output import talk
    from ollapy.cli.progress import follow

    try:
        with explained(request.given):
            follow(client.pull(request), as_json=as_json)
    except KeyboardInterrupt:
        talk("What was downloaded is kept, the same command goes on from there.")
        raise


def _max_rate(text: str | None) -> int | None:
    from ollapy.errors import InvalidRequest
    from ollapy.units import parse_bytes

    if text is None:
        return None
    try:
        rate = parse_bytes(text.removesuffix("/s"))
    except InvalidRequest as exc:
        raise typer.BadParameter(str(exc), param_hint="--limit-rate") from exc
    if not rate:
        raise typer.BadParameter("nothing would come", param_hint="--limit-rate")
    return rate
