"""`ollapy push`."""

from __future__ import annotations

from typing import Annotated

import typer

from ollapy.cli import completion

from .registry import AsJson, Insecure, Username, explained, password_of


def push(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            autocompletion=completion.models,
            help="A model that is here.",
        ),
    ],
    insecure: Insecure = False,
    username: Username = None,
    as_json: AsJson = False,
) -> None:
    """Upload a model to the registry that its name says.

    Examples: `ollapy push ann/assistant`, `ollapy push registry.example.com/ann/assistant:v2`
    """
    from ollapy.api.ollama import PullRequest
    from ollapy.cli.progress import follow
    from ollapy.cli.session import connected

    password = password_of(username)
    request = PullRequest(
        model, insecure=insecure, username=username, password=password
    )
    with connected() as client, explained(model):
        client.show(model)  # whose error knows names that are like it
        follow(client.push(request), as_json=as_json)
