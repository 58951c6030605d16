"""Vault: the branches that are no longer in the model's memory: the latest in the machine's, others on the disk."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from .branch import AdapterKey, Branch, Outline, Tokens
from .folder import Folder

logger = logging.getLogger(__name__)

# Seconds for what reading takes beside the bytes.
_LEAST_SECONDS = 0.002
_RAM_RATE, _FIRST_RATE = 4e9, 1e9  # bytes a second; of the disk until it is known
_MEASURABLE = 1 << 20  # bytes below which a read says nothing of the disk's pace
_WEIGHT = 0.3  # of the newest read in the average


@dataclass(frozen=True, slots=True)
class Found:
    """A branch that a prompt can begin with `length` tokens of, and how many seconds it takes to have it."""

    name: str
    outline: Outline
    length: int
    seconds: float


class Vault:
    """For the engine's thread, but what takes long is done on one of its own, where the folder is used alone.

    The machine's memory has `max_ram` bytes of branches, and as many at most of those that are on their way to the disk.
    """

    def __init__(self, folder: Folder, *, anywhere: bool, max_ram: int) -> None:
        self._folder = folder
        self._anywhere = anywhere
        self._max_ram = max_ram
        self._ram: dict[str, Branch] = {}  # by name, the last used at the end
        self._leaving: dict[str, tuple[Branch, Future[bool]]] = {}  # for the disk
        self._rate = _FIRST_RATE
        self._thread = ThreadPoolExecutor(1, "kv-cache")
        self._thread.submit(folder.outlines)

    @property
    def kept(self) -> list[Branch]:
        """What is in the machine's memory."""
        self._settle()
        return [*self._ram.values(), *(branch for branch, _ in self._leaving.values())]

    def find(self, tokens: Tokens, adapters: AdapterKey) -> Found | None:
        """Where most of a prompt is; of places with as much the one that is read in the least time."""
        found = [
            Found(name, outline, length, self._seconds(name, outline))
            for name, outline in self._outlines().items()
            if (length := outline.usable(tokens, adapters, anywhere=self._anywhere))
        ]
        return max(found, key=lambda f: (f.length, -f.seconds), default=None)

    def fetch(self, name: str, done: Callable[[Branch | None], None]) -> None:
        """Read a branch; `done` is called with it on another thread, with None where it is gone or of no use."""
        if branch := self._ram.pop(name, None):
            self._ram[name] = branch
            done(branch)
        elif leaving := self._leaving.get(name):
            done(leaving[0])
        else:
            self._thread.submit(self._read, name, done)

    def forget(self, name: str) -> None:
        """A branch has turned out to be of no use."""
        self._ram.pop(name, None)
        self._folder.remove(name)

    def put(self, branch: Branch) -> None:
        """Have a branch in the machine's memory; for want of room there the oldest go on to the disk."""
        self._ram.pop(branch.outline.name, None)
        self._ram[branch.outline.name] = branch
        while _size(self._ram.values()) > self._max_ram:
            self._leave(self._ram.pop(next(iter(self._ram))))

    def close(self, branches: Iterable[Branch], deadline: float) -> int:
        """Write branches to the disk, in their order, until the deadline; how many have been."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        writing = [f for _, f in self._leaving.values() if not f.cancelled()]
        wait(writing, max(deadline - time.monotonic(), 0.0))
        count = 0
        for branch in branches:
            if time.monotonic() > deadline:
                break
            count += self._folder.write(branch, deadline)
        return count

    def _leave(self, branch: Branch) -> None:
        """Have a branch written; one that the disk is too slow for is lost."""
        self._settle()
        waiting = _size(branch for branch, _ in self._leaving.values())
        if waiting and waiting + branch.outline.size > self._max_ram:
            count = len(branch.outline.tokens)
            logger.info("kv cache: %d tokens not kept: the disk is too slow", count)
            return
        future = self._thread.submit(self._folder.write, branch, math.inf)
        self._leaving[branch.outline.name] = branch, future

    def _settle(self) -> None:
        """Let those go that have been written."""
        self._leaving = {
            name: (branch, future)
            for name, (branch, future) in self._leaving.items()
            if future.cancelled() or not future.done()
        }

    def _outlines(self) -> dict[str, Outline]:
        in_ram = {branch.outline.name: branch.outline for branch in self.kept}
        return {**self._folder.outlines(), **in_ram}

    def _seconds(self, name: str, outline: Outline) -> float:
        is_here = name in self._ram or name in self._leaving
        rate = _RAM_RATE if is_here else self._rate
        return _LEAST_SECONDS + outline.size / rate

    def _read(self, name: str, done: Callable[[Branch | None], None]) -> None:
        branch = None
        try:
            started = time.perf_counter()
            branch = self._folder.read(name)
            if branch and branch.outline.size >= _MEASURABLE:
                rate = branch.outline.size / (time.perf_counter() - started)
                self._rate += _WEIGHT * (rate - self._rate)
        except Exception:
            logger.exception("kv cache: could not be read")
        finally:
            done(branch)


def _size(branches: Iterable[Branch]) -> int:
    return sum(branch.outline.size for branch in branches)
