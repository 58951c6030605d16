"""`ollapy cp`."""

from __future__ import annotations

from typing import Annotated

import typer


def copy(
    source: Annotated[str, typer.Argument(metavar="SOURCE")],
    destination: Annotated[str, typer.Argument(metavar="DESTINATION")],
) -> None:
    """Give a model a second name."""
    from ollapy.cli.session import connected

    with connected() as client:
        client.copy(source, destination)
    print(f"copied '{source}' to '{destination}'")
