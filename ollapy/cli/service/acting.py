"""Installing and taking away: what a Keeper says is written and run, and what goes wrong is said."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from ollapy.errors import NotFound, OllapyError

from .keeper import Command, Keeper, serving

_SECONDS = 60.0


def install(keeper: Keeper, env: Mapping[str, str]) -> None:
    """Write the service's file and start it; nothing is written where there is nobody to keep it running."""
    probe(keeper)
    keeper.file.parent.mkdir(parents=True, exist_ok=True)
    keeper.file.write_bytes(keeper.content(serving(), env))
    for command in keeper.starts:
        run(command)


def uninstall(keeper: Keeper) -> None:
    """End the service and take its file away."""
    if not keeper.file.exists():
        raise NotFound(f"the service is not installed: there is no {keeper.file}")
    probe(keeper)
    try:
        for command in keeper.stops:
            run(command)
    finally:
        keeper.file.unlink()


def probe(keeper: Keeper) -> None:
    """OllapyError where the keeper does not answer, as in a container."""
    try:
        run(keeper.probe)
    except OllapyError as exc:
        raise OllapyError(
            f"{keeper.program} does not answer here ({exc}): have whatever keeps programs running "
            "on this machine run `ollapy serve`"
        ) from exc


def run(command: Command) -> None:
    """Do it; OllapyError has its last words where it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except OSError as exc:
        raise OllapyError(f"there is no {command[0]}") from exc
    except subprocess.TimeoutExpired as exc:
        raise OllapyError(f"{command[0]} took too long") from exc
    if done.returncode:
        words = (done.stderr or done.stdout).decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(words) if line.strip()), "")
        raise OllapyError(f"{command[0]}: {last or f'status {done.returncode}'}")


def show(command: Command) -> int:
    """Let a program talk to the person itself; its exit status."""
    try:
        return subprocess.run(command, check=False).returncode
    except OSError as exc:
        raise OllapyError(f"there is no {command[0]} here") from exc
    except KeyboardInterrupt:  # how one leaves what follows a log
        return 0
