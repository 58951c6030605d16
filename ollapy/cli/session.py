"""A command's client, made from its settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ollapy.api.ollama import VersionResponse
from ollapy.client import Client
from ollapy.errors import DaemonUnreachable, OllapyError
from ollapy.settings import Settings

from .output import complain, talk

M = TypeVar("M")


def connect(settings: Settings | None = None) -> Client:
    """A client of the configured daemon, which may or may not be there."""
    settings = settings or Settings.from_env()
    for warning in settings.warnings:
        talk(f"Warning: {warning}")
    return Client(settings.address, settings.api_key)


@contextmanager
def connected(*, start: bool = False) -> Iterator[Client]:
    """A client of a daemon that has answered, and which `start` starts where none does."""
    settings = Settings.from_env()
    with connect(settings) as client:
        try:
            check(client)
        except DaemonUnreachable:
            if not (start and settings.address.is_local and settings.address.port):
                raise
            from .background import start_daemon

            start_daemon(settings, client)
        yield client


def check(client: Client) -> VersionResponse:
    """What answers, OllapyError unless it is ollapy: Ollama's models are not ours to change."""
    found = client.version()
    if not found.ollapy:
        raise OllapyError(
            f"Ollama {found.version} is running at {client.address}: stop it, "
            "or set OLLAPY_HOST to another address such as 127.0.0.1:11435"
        )
    return found


def for_each(models: Iterable[M], act: Callable[[M], None]) -> None:
    """Do it to all of them. One that fails does not keep the others, and makes the exit status 1."""
    failed = False
    for model in models:
        try:
            act(model)
        except DaemonUnreachable:
            raise
        except OllapyError as exc:
            failed = True
            complain(exc)
    if failed:
        sys.exit(1)
