"""`ollapy key`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ollapy.keys import KeyRing

app = typer.Typer(
    help="Make, list and revoke the API keys of this machine's daemon.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("create")
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Whom or what the key is for.")
    ],
    infer: Annotated[
        bool,
        typer.Option(
            "--infer", help="Allow no more than to use the models that are here."
        ),
    ] = False,
) -> None:
    """Print a new key, which is shown only now."""
    from ollapy.keys import Scope

    print(_ring().create(name, Scope.INFER if infer else Scope.MANAGE))


@app.command("list")
def list_keys() -> None:
    """List the keys, without their secrets."""
    from datetime import datetime

    from ollapy.cli.output import print_table

    rows = (
        (key.id, key.name, key.scope, f"{datetime.fromtimestamp(key.created_at):%F}")
        for key in _ring().keys
    )
    print_table(("ID", "NAME", "MAY", "MADE"), rows)


@app.command("revoke")
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="As `ollapy key list` shows it.")
    ],
) -> None:
    """Have a key open nothing any more, from now on."""
    _ring().revoke(key_id)


def _ring() -> KeyRing:
    from ollapy.keys import KeyRing
    from ollapy.settings import Settings

    return KeyRing(Settings.from_env().keys)
