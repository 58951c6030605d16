"""The options of the commands that talk to registries."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure", help="Allow plain HTTP, and certificates nobody vouches for."
    ),
]
Username = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Who you are to the registry. The password is asked for, or read from what is piped in.",
        show_default=False,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the records, one JSON object a line.")
]


def password_of(username: str | None) -> str | None:
    """What the user types without its being shown, or the first line that is piped in."""
    if username is None:
        return None
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    import getpass

    return getpass.getpass(f"Password of {username}: ")
