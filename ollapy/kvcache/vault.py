"""Vault: the branches that are no longer in the model's memory: the latest in the machine's, others on the disk."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .branch import AdapterKey, Branch, Outline, Tokens
from .folder import Folder

logger = logging.getLogger(__name__)

_MAX_RAM = 512 << 20  # bytes of branches in the machine's memory
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
    """For the engine's thread, but what takes long is done on one of its own, where the folder is used alone."""

    def __init__(
        self, folder: Folder, *, anywhere: bool, max_ram: int = _MAX_RAM
    ) -> None:
        self._folder = folder
        self._anywhere = anywhere
        self._max_ram = max_ram
        self._ram: dict[str, Branch] = {}  # by name, the last used at the end
        self._rate = _FIRST_RATE
        self._thread = ThreadPoolExecutor(1, "kv-cache")
        self._thread.submit(folder.outlines)

    @property
    def kept(self) -> list[Branch]:
        """What is in the machine's memory."""
        return [*self._ram.values()]

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
        excess = sum(b.outline.size for b in self._ram.values()) - self._max_ram
        while excess > 0:
            oldest = self._ram.pop(next(iter(self._ram)))
            excess -= oldest.outline.size
            self._thread.submit(self._folder.write, oldest, math.inf)

    def close(self, branches: Iterable[Branch], deadline: float) -> int:
        """Write branches to the disk, in their order, until the deadline; how many have been."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        count = 0
        for branch in branches:
            if time.monotonic() > deadline:
                break
            count += self._folder.write(branch, deadline)
        return count

    def _outlines(self) -> dict[str, Outline]:
        in_ram = {name: branch.outline for name, branch in self._ram.items()}
        return {**self._folder.outlines(), **in_ram}

    def _seconds(self, name: str, outline: Outline) -> float:
        rate = _RAM_RATE if name in self._ram else self._rate
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
