"""A command's client, made from its settings."""

from __future__ import annotations

from ollapy.client import Client
from ollapy.settings import Settings


def connect() -> Client:
    """A client of the configured daemon, which may or may not be there."""
    return Client(Settings.from_env().address)
