"""Failpoints: every call of this process that changes a file, counted, and made to go wrong at the N-th.

Installed in a child that a test may lose. What is wrapped are the functions of `os` that change files, and the
writes of files opened from a descriptor; tests/reliability/test_order.py shows with strace that the store has no
other way to the disk.
"""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

_TAKES_SPACE = (
    "open",
    "write",
    "pwrite",
    "posix_fallocate",
    "ftruncate",
    "mkdir",
    "link",
)
_CALLS = (
    *_TAKES_SPACE,
    "fsync",
    "replace",
    "rename",
    "unlink",
    "rmdir",
    "chmod",
)


@dataclass(frozen=True)
class Fault:
    """What happens at the N-th call, N from 1.

    `kill` ends the process instead of the call, `torn` in the middle of it. `ENOSPC` and the like are errors: of
    this call alone, or with `lasting` of every later one that takes space, too.
    """

    at: int = 0
    how: str = "kill"
    lasting: bool = False


class _Raw(io.FileIO):
    """Writes through `os`."""

    def write(self, data: Any) -> int:
        return int(os.write(self.fileno(), data))


class Failpoints:
    """Counts calls, in every thread of the process."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._lock = Lock()
        self.calls: list[str] = []

    def install(self) -> None:
        """From now on, and for good."""
        for name in _CALLS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        os.fdopen = self._opened  # type: ignore[assignment]

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return call(*args, **kwargs)
            if self._is_torn(name):
                self._tear(name, call, *args)
            return call(*args, **kwargs)

        return wrapper

    def _opened(self, descriptor: int, mode: str = "r", *args: Any) -> Any:
        if "r" in mode:
            return open(descriptor, mode, *args)
        return io.BufferedWriter(_Raw(descriptor, mode))

    def _is_torn(self, name: str) -> bool:
        """Count the call; it fails here, or is to be torn, or goes on."""
        with self._lock:
            self.calls.append(name)
            number = len(self.calls)
        fault = self._fault
        if fault.how in ("kill", "torn"):
            if number == fault.at and fault.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            return number == fault.at
        is_later = fault.lasting and number > fault.at > 0 and name in _TAKES_SPACE
        if number == fault.at or is_later:
            code = getattr(errno, fault.how)
            raise OSError(code, os.strerror(code))
        return False

    def _tear(self, name: str, call: Callable[..., Any], *args: Any) -> None:
        if name in ("write", "pwrite"):
            descriptor, data, *rest = args
            call(descriptor, memoryview(data)[: len(data) // 2], *rest)
        os.kill(os.getpid(), signal.SIGKILL)
