"""The options of the commands that talk to registries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    bool,
    typer.Option("--json", help="Print the API's records, one JSON object a line."),
]

# How Ollama's registries and its API put it.
_ABSENT, _UNAUTHORIZED = "file does not exist", "unauthorized: access denied"
_ELSEWHERE = (
    "'ollapy list' shows what is on this machine, and 'ollapy run tiny' always works"
)


@contextmanager
def explained(model: str) -> Iterator[None]:
    """A registry's refusals, with the model's name and what there is to do."""
    from ollapy.errors import NotOnRemote, OllapyError, Unauthorized
    from ollapy.names import ModelName

    try:
        yield
    except OllapyError as exc:
        said, _, hint = str(exc).partition("; ")
        if said.endswith(_ABSENT):
            host = ModelName.parse(model).host
            raise NotOnRemote(
                f"model '{model}' is not on {host}: {hint or _ELSEWHERE}"
            ) from exc
        if str(exc) == _UNAUTHORIZED:
            raise Unauthorized(f"{exc}: {_login(ModelName.parse(model).host)}") from exc
        raise


def _login(host: str) -> str:
    from ollapy.names import HOST

    if host == HOST:
        return "add ~/.ollama/id_ed25519.pub to your keys at https://ollama.com/settings/keys"
    return f"say who you are with --username, or once and for all with 'docker login {host}'"


def password_of(username: str | None) -> str | None:
    """What the user types without its being shown, or the first line that is piped in."""
    if username is None:
        return None
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    import getpass

    return getpass.getpass(f"Password of {username}: ")
