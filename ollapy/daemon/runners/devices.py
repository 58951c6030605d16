"""Devices: the accelerators of this machine and of its RPC workers, asked of a child process when it matters."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from itertools import count

from msgspec.structs import replace as renamed

from ollapy.api.engine import Device
from ollapy.daemon.runners import probe, seen, state_file
from ollapy.daemon.runners.accelerators import Accelerators, accelerators, chosen
from ollapy.daemon.runners.seen import Sight
from ollapy.errors import EngineMissing
from ollapy.settings import Settings
from ollapy.units import format_bytes

logger = logging.getLogger(__name__)

_STRANGER_SECONDS = 60.0


class Devices:
    """Asked again before each placement, as what is free changes. On the daemon's loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = settings.state / seen.FILE
        self._asking = asyncio.Lock()
        self._told = set[str]()
        self._counts: dict[str, int] = {}  # of devices, by worker
        self._strangers: dict[str, tuple[float, EngineMissing]] = {}
        self._looked_at = -math.inf
        self.last = Accelerators()

    async def look(
        self, busy: Container[str] = (), *, max_age: float = 0.0
    ) -> Accelerators:
        """Those that models may use now, or could `max_age` seconds ago, where that look has served nobody yet.

        Without llama.cpp there are none, which a load will say.

        A worker that is `busy` computes for one model and hears nobody else.
        """
        async with self._asking:
            age, self._looked_at = time.monotonic() - self._looked_at, -math.inf
            if age < max_age:
                return self.last
            own, problems = await self._own()
            there = await self.judge(own, busy)
            self.last = replace(there, warnings=(*problems, *there.warnings))
            self._looked_at = -math.inf if max_age else time.monotonic()
            if own:
                self._remember(own)
        self._tell()
        return self.last

    async def judge(
        self, own: Sequence[Device], busy: Container[str] = ()
    ) -> Accelerators:
        """Which of this machine's devices and of its workers' may be used, and what is not as it should be."""
        workers, others, down = await self._workers(busy)
        devices, unknown = chosen([*own, *others], self._settings.devices)
        gone = [sight.warning for sight in self._missed(own)]
        return Accelerators(tuple(devices), workers, (*down, *unknown, *gone))

    @property
    def _is_off(self) -> bool:
        return self._settings.devices == ("cpu",)

    async def _own(self) -> tuple[list[Device], list[str]]:
        env = self._settings.runner_env
        if self._is_off or not probe.knows_accelerators(env):
            return [], []
        try:
            report = await probe.ask(env)
        except EngineMissing as exc:
            return [], [str(exc)]
        return accelerators(report.devices), []

    async def _workers(
        self, busy: Container[str]
    ) -> tuple[dict[str, tuple[str, ...]], list[Device], list[str]]:
        """The names of each worker's devices, the devices, and sentences about those that do not answer."""
        endpoints = () if self._is_off else self._settings.workers
        asked = [endpoint for endpoint in endpoints if endpoint not in busy]
        answers = await asyncio.gather(*map(self._ask_worker, asked))
        found: dict[str, list[Device]] = {}
        down: list[str] = []
        for endpoint, answer in zip(asked, answers, strict=True):
            if isinstance(answer, EngineMissing):
                down.append(str(answer))
            else:
                found[endpoint] = answer
        self._counts |= {endpoint: len(devices) for endpoint, devices in found.items()}
        names = self._named(endpoints)
        devices = [
            renamed(device, name=name)
            for endpoint, own in found.items()
            for device, name in zip(own, names[endpoint], strict=True)
        ]
        return {endpoint: names[endpoint] for endpoint in found}, devices, down

    def _named(self, endpoints: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """RPC0, RPC1 and so on, the same whoever is busy."""
        numbers = count()
        return {
            endpoint: tuple(
                f"RPC{next(numbers)}" for _ in range(self._counts.get(endpoint, 0))
            )
            for endpoint in endpoints
        }

    async def _ask_worker(self, endpoint: str) -> list[Device] | EngineMissing:
        """Its devices, or why there are none. Whatever is no worker is slow to say so, and is left alone for a while."""
        since, known = self._strangers.get(endpoint, (-math.inf, None))
        if known and time.monotonic() - since < _STRANGER_SECONDS:
            return known
        try:
            return await probe.ask_worker(endpoint, self._settings.runner_env)
        except probe.Stranger as exc:
            self._strangers[endpoint] = time.monotonic(), exc
            return exc
        except EngineMissing as exc:
            return exc

    def _missed(self, own: Sequence[Device]) -> list[Sight]:
        """What was there lately, and is not."""
        if self._is_off:
            return []
        sights = state_file.read(self._file, list[Sight]) or []
        return seen.gone(sights, own, time.time())

    def _remember(self, own: Sequence[Device]) -> None:
        """Once for the daemon's life, and whenever there are others."""
        names = {f"{device.name} {device.description}" for device in own}
        if not names <= self._told:
            kept = seen.kept(self._missed(own), own, time.time())
            state_file.write(self._file, kept)
            for device in own:
                logger.info(
                    "accelerator name=%s description=%s free=%s total=%s",
                    *(device.name, device.description),
                    *map(format_bytes, (device.free, device.total)),
                )
        self._told |= names

    def _tell(self) -> None:
        """Each warning once."""
        for warning in self.last.warnings:
            if warning not in self._told:
                logger.warning("%s", warning)
        self._told.update(self.last.warnings)
