"""`ollapy rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from ollapy.errors import DaemonUnreachable, OllapyError


def remove(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", show_default=False)
    ],
) -> None:
    """Remove models. One that fails does not keep the others."""
    from ollapy.cli.output import talk
    from ollapy.cli.session import connect

    failed = False
    with connect() as client:
        for model in models:
            try:
                client.delete(model)
            except DaemonUnreachable:
                raise
            except OllapyError as exc:
                failed = True
                talk(f"Error: {exc}")
            else:
                print(f"deleted '{model}'")
    if failed:
        raise typer.Exit(1)
