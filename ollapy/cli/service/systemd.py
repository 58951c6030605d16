"""Systemd: a unit of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .keeper import NAME, Command

_UNIT = f"{NAME}.service"
_TEXT = """\
[Unit]
Description=ollapy, language models on this machine
Documentation=man:ollapy(1)

[Service]
ExecStart={command}
{environment}Restart=on-failure
RestartSec=2
OOMPolicy=continue
TimeoutStopSec=20

[Install]
WantedBy=default.target
"""


class Systemd:
    """systemd's manager of one user."""

    program = "systemd"
    told = "It starts when you log in; `loginctl enable-linger` has it start with the machine."
    probe: Command = ("systemctl", "--user", "show-environment")
    starts: Sequence[Command] = (
        ("systemctl", "--user", "daemon-reload"),
        ("systemctl", "--user", "enable", "--now", _UNIT),
    )
    stops: Sequence[Command] = (("systemctl", "--user", "disable", "--now", _UNIT),)
    status: Command = ("systemctl", "--user", "--no-pager", "status", _UNIT)

    @property
    def file(self) -> Path:
        """Where it looks for units."""
        import platformdirs

        return platformdirs.user_config_path("systemd") / "user" / _UNIT

    def content(self, command: Command, env: Mapping[str, str]) -> bytes:
        """A unit that is started again when it crashes, and not when it was ended."""
        lines = (f"Environment={_quoted(f'{k}={v}')}\n" for k, v in env.items())
        words = " ".join(_quoted(word).replace("$", "$$") for word in command)
        return _TEXT.format(command=words, environment="".join(lines)).encode()

    def logs(self, *, follow: bool) -> Command:
        """The journal's last lines."""
        ask = ("journalctl", "--user", "--unit", _UNIT, "--no-pager", "--lines", "200")
        return (*ask, "--follow") if follow else ask


def _quoted(word: str) -> str:
    """A word in which systemd finds nothing to replace."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
