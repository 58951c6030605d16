"""Keeper: the program of a system that keeps others running. It says what is to be written and run, and does neither."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

Command = Sequence[str]
NAME = "ollapy"


class Keeper(Protocol):
    """`told` is what a person should know of a service that was just installed.

    `probe` succeeds where the program is there and answers; `file` is what it reads, with `content` in it.
    """

    program: str
    told: str

    @property
    def file(self) -> Path: ...

    @property
    def probe(self) -> Command: ...

    @property
    def starts(self) -> Sequence[Command]: ...

    @property
    def stops(self) -> Sequence[Command]: ...

    @property
    def status(self) -> Command: ...

    def content(self, command: Command, env: Mapping[str, str]) -> bytes: ...

    def logs(self, *, follow: bool) -> Command | None: ...


def serving() -> Command:
    """The command line of the daemon. -P: a file of the folder it runs in is not imported."""
    return (sys.executable, "-P", "-m", NAME, "serve")


def here(logs: Path) -> Keeper:
    """This system's; `logs` is where one that keeps no journal writes."""
    from .launchd import Launchd
    from .systemd import Systemd
    from .tasks import Tasks

    match sys.platform:
        case "darwin":
            return Launchd(logs)
        case "win32":
            return Tasks()
        case _:
            return Systemd()
