"""`ollapy stop`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ollapy.errors import DaemonUnreachable, ModelNotFound, OllapyError

_STOP_SECONDS = 10.0


def stop(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL...", show_default=False)
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Stop every model and the daemon.")
    ] = False,
) -> None:
    """Unload models from memory, or end the daemon."""
    if all_:
        stop_daemon()
        return
    if not models:
        raise typer.BadParameter("name a model, or use --all", param_hint="MODEL")
    from ollapy.cli.session import connect

    with connect() as client:
        for model in models:
            try:
                client.unload(model)
            except ModelNotFound:
                raise ModelNotFound(f'couldn\'t find model "{model}" to stop') from None


def stop_daemon() -> None:
    """Ask the daemon to end and wait until nobody answers; one that is not there is fine."""
    from ollapy.cli.session import connect

    deadline = time.monotonic() + _STOP_SECONDS
    with connect() as client:
        try:
            client.shutdown()
            while time.monotonic() < deadline:
                client.version()
                time.sleep(0.05)
        except DaemonUnreachable:
            return
    raise OllapyError("the daemon is still answering, its log may say why")
