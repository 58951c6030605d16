"""What a scenario measures: a server that is up, and how to talk to it."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from .dialects import Dialect
from .wire import Failed

_LOOK = 0.25
_IDLE_SHARE = 0.1
_LAST_BREATH = 1.0
_NUM_LINES = 15


@dataclass(frozen=True, slots=True)
class Target:
    """A running server. `patience` are the seconds that it may be silent, or compute with nobody waiting."""

    name: str
    port: int
    dialect: Dialect
    process: psutil.Process
    log: Path
    patience: float = 300.0

    def settle(self) -> None:
        """Wait until it computes nothing: what it still did would slow down who comes next."""
        deadline = time.monotonic() + self.patience
        while self._share() > _IDLE_SHARE:
            if time.monotonic() > deadline:
                raise Failed(
                    f"still computing {self.patience:g} s after the last answer"
                )

    def obituary(self) -> str:
        """How its process ended; empty where it lives."""
        try:
            status = self.process.wait(_LAST_BREATH)
        except psutil.TimeoutExpired:
            return ""
        return f"; the server ended, status {status}"

    def _share(self) -> float:
        """The part of one core that it uses."""
        before, started = self._cpu_seconds(), time.monotonic()
        time.sleep(_LOOK)
        return (self._cpu_seconds() - before) / (time.monotonic() - started)

    def _cpu_seconds(self) -> float:
        used = 0.0
        with suppress(psutil.NoSuchProcess):
            for process in (self.process, *self.process.children(recursive=True)):
                times = process.cpu_times()
                used += times.user + times.system
        return used


def show_end(name: str, log: Path) -> None:
    """Print the last lines of a log, for whoever asks why."""
    lines = log.read_text(errors="replace").splitlines()
    for line in lines[-_NUM_LINES:]:
        print(f"  {name} | {line}", file=sys.stderr)
