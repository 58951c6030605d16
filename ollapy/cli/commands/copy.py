"""`ollapy cp`."""

from __future__ import annotations


def copy(source: str, destination: str) -> None:
    """Give a model a second name."""
    from ollapy.cli.session import connect

    with connect() as client:
        client.copy(source, destination)
    print(f"copied '{source}' to '{destination}'")
