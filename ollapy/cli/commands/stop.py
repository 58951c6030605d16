"""`ollapy stop`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ollapy.cli import completion
from ollapy.errors import DaemonUnreachable, ModelNotFound, OllapyError

if TYPE_CHECKING:  # it brings httpcore along
    from ollapy.client import Client

_STOP_SECONDS = 10.0


def stop(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            autocompletion=completion.loaded,
            help="As `ollapy ps` shows them.",
            show_default=False,
        ),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Stop every model and the daemon.")
    ] = False,
) -> None:
    """Unload models from memory, or end the daemon.

    Examples: `ollapy stop tiny`, `ollapy stop --all`
    """
    if bool(models) == all_:
        raise typer.BadParameter("name models or use --all", param_hint="MODEL")
    if models:
        _stop_models(models)
    else:
        stop_daemon()


def _stop_models(models: list[str]) -> None:
    from ollapy.cli.session import connected, for_each

    with connected() as client:
        for_each(models, lambda model: _unload(client, model))


def _unload(client: Client, model: str) -> None:
    try:
        client.unload(model)
    except ModelNotFound:
        raise ModelNotFound(f'couldn\'t find model "{model}" to stop') from None


def stop_daemon() -> None:
    """Ask the daemon to end and wait until nobody answers; one that is not there is fine."""
    from ollapy.cli.session import check, connect

    deadline = time.monotonic() + _STOP_SECONDS
    with connect() as client:
        try:
            check(client)
            client.shutdown()
            while time.monotonic() < deadline:
                client.version()
                time.sleep(0.05)
        except DaemonUnreachable:
            return
    raise OllapyError("the daemon is still answering, its log may say why")
