"""Launchd: an agent of the user's on macOS."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from .keeper import NAME, Command


class Launchd:
    """launchd, for the user who is logged in."""

    program = "launchd"
    told = "It starts when you log in."

    def __init__(self, logs: Path) -> None:
        self._log = logs / "service.log"

    @property
    def file(self) -> Path:
        """Where it looks for agents."""
        return Path.home() / "Library" / "LaunchAgents" / f"{NAME}.plist"

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    @property
    def probe(self) -> Command:
        """What it says of the user's programs."""
        return ("launchctl", "print", self._domain)

    @property
    def starts(self) -> Sequence[Command]:
        """The agent is taken and started."""
        return (("launchctl", "bootstrap", self._domain, str(self.file)),)

    @property
    def stops(self) -> Sequence[Command]:
        """The agent ends and is forgotten."""
        return (("launchctl", "bootout", f"{self._domain}/{NAME}"),)

    @property
    def status(self) -> Command:
        """What it says of the agent."""
        return ("launchctl", "print", f"{self._domain}/{NAME}")

    def content(self, command: Command, env: Mapping[str, str]) -> bytes:
        """A property list: started at log-in, and again when it crashes."""
        import plistlib

        agent = {
            "Label": NAME,
            "ProgramArguments": [*command],
            "EnvironmentVariables": dict(env),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ProcessType": "Interactive",  # not slowed down behind other programs
            "StandardOutPath": str(self._log),
            "StandardErrorPath": str(self._log),
        }
        return plistlib.dumps(agent)

    def logs(self, *, follow: bool) -> Command:
        """The end of the file that it writes."""
        follows = ("-f",) if follow else ()
        return ("tail", "-n", "200", *follows, str(self._log))
