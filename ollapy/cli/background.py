"""The daemon in the background: started when none answers, and left running."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from ollapy.client import Client
from ollapy.errors import DaemonUnreachable, OllapyError
from ollapy.settings import Settings

_START_SECONDS = 20.0
_POLL_SECONDS = 0.05


def ensure_daemon(settings: Settings, client: Client) -> None:
    """Return once a daemon answers; OllapyError names the log where one cannot be started."""
    try:
        client.version()
    except DaemonUnreachable:
        if not settings.address.is_local:
            raise
        _start(settings, client)


def _start(settings: Settings, client: Client) -> None:
    log = settings.logs / "daemon.log"
    daemon = _spawn(log)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            client.version()
        except DaemonUnreachable:
            time.sleep(_POLL_SECONDS)
        else:
            return
    raise OllapyError(f"the daemon did not start: {_last_line(log)} (log: {log})")


def _spawn(log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ollapy", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # closing the terminal does not end it
        )


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1].removeprefix("Error: ") if lines else "it wrote nothing"
