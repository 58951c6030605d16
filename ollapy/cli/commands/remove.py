"""`ollapy rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from ollapy.cli import completion


def remove(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            autocompletion=completion.models,
            help="As `ollapy list` shows them.",
        ),
    ],
) -> None:
    """Remove models.

    What other models share with them stays. One that fails does not keep the others.

    Example: `ollapy rm qwen3:4b assistant`
    """
    from ollapy.cli.session import connected, for_each

    with connected() as client:

        def delete(model: str) -> None:
            client.delete(model)
            print(f"deleted '{model}'")

        for_each(models, delete)
