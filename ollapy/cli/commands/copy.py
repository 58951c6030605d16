"""`ollapy cp`."""

from __future__ import annotations

from typing import Annotated

import typer

from ollapy.cli import completion


def copy(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            autocompletion=completion.models,
            help="A model that is here.",
        ),
    ],
    destination: Annotated[
        str, typer.Argument(metavar="DESTINATION", help="Its other name.")
    ],
) -> None:
    """Give a model a second name.

    Both share what they take of the disk. Another model of that name is replaced.

    Example: `ollapy cp qwen3:4b assistant`
    """
    from ollapy.cli.session import connected

    with connected() as client:
        client.copy(source, destination)
    print(f"copied '{source}' to '{destination}'")
