"""The daemon in the background: started when none answers, and left running."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from ollapy.cli.service.keeper import serving
from ollapy.client import Client
from ollapy.errors import DaemonUnreachable, OllapyError
from ollapy.settings import Settings

_START_SECONDS = 20.0
_POLL_SECONDS = 0.05
_MAX_LOG = 16_000_000


def start_daemon(settings: Settings, client: Client) -> None:
    """Return once a daemon answers; OllapyError has its last words where none can be started."""
    log = settings.daemon_log
    try:
        begin = _rotate(log)
        daemon = _spawn(log)
    except OSError as exc:
        raise OllapyError(
            f"the daemon's log could not be written: {log}: {exc.strerror}"
        ) from exc
    if not _wait(client, daemon):
        daemon.kill()
        raise OllapyError(
            f"the daemon did not start: {_last_line(log, begin)} (log: {log})"
        )


def _wait(client: Client, daemon: subprocess.Popen[bytes]) -> bool:
    """Whether a daemon answers. One that ends may have met another that was started at the same time."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        has_ended = daemon.poll() is not None
        if _answers(client):
            return True
        if has_ended:
            return False
        time.sleep(_POLL_SECONDS)
    return False


def _answers(client: Client) -> bool:
    try:
        client.version()
    except DaemonUnreachable:
        return False
    return True


def _rotate(log: Path) -> int:
    """The size of the log, which is put aside when it has grown long."""
    log.parent.mkdir(parents=True, exist_ok=True)
    size = log.stat().st_size if log.exists() else 0
    if size <= _MAX_LOG:
        return size
    log.replace(log.with_suffix(".log.old"))
    return 0


def _spawn(log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        log.chmod(0o600)  # the first API key may be in it
        return subprocess.Popen(
            serving(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # closing the terminal does not end it
        )


def _last_line(log: Path, begin: int) -> str:
    """The last words of the daemon whose part of the log begins there."""
    with log.open("rb") as written:
        written.seek(begin)
        lines = written.read(_MAX_LOG).decode(errors="replace").splitlines()
    return lines[-1].removeprefix("Error: ") if lines else "it wrote nothing"
