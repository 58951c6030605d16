"""Devices: the accelerators of this machine and of its RPC workers, asked of a child process when it matters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from msgspec.structs import replace

from ollapy.api.engine import Device
from ollapy.daemon.runners import probe, seen, state_file
from ollapy.daemon.runners.accelerators import Accelerators, chosen
from ollapy.daemon.runners.seen import Sight
from ollapy.errors import EngineMissing
from ollapy.settings import Settings

logger = logging.getLogger(__name__)


class Devices:
    """Asked again before each placement, as what is free changes. On the daemon's loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = settings.state / seen.FILE
        self._asking = asyncio.Lock()
        self._warned = set[str]()
        self.last = Accelerators()

    async def look(self) -> Accelerators:
        """Those that models may use now. Without llama.cpp there are none, which a load will say."""
        async with self._asking:
            own, problems = await self._own()
            workers, others, down = await self._workers()
            there = [*own, *others]
            devices, unknown = chosen(there, self._settings.devices)
            warnings = (*problems, *down, *unknown, *self._missed(own))
            self.last = Accelerators(tuple(devices), workers, warnings)
        for warning in set(self.last.warnings) - self._warned:
            logger.warning("%s", warning)
        self._warned.update(self.last.warnings)
        return self.last

    async def _own(self) -> tuple[list[Device], list[str]]:
        env = self._settings.runner_env
        if self._settings.devices == ("cpu",) or not probe.knows_accelerators(env):
            return [], []
        try:
            report = await probe.ask(env)
        except EngineMissing as exc:
            return [], [str(exc)]
        return [d for d in report.devices if d.kind in ("gpu", "igpu")], []

    async def _workers(self) -> tuple[tuple[str, ...], list[Device], list[str]]:
        """The workers that answer, their devices as llama.cpp will call them, and sentences about the rest."""
        endpoints = self._settings.workers
        asked = (probe.ask_worker(e, self._settings.runner_env) for e in endpoints)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        up: dict[str, list[Device]] = {}
        down: list[str] = []
        for endpoint, answer in zip(endpoints, answers, strict=True):
            if isinstance(answer, EngineMissing):
                down.append(str(answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                up[endpoint] = answer
        found = [device for devices in up.values() for device in devices]
        named = [replace(d, name=f"RPC{i}") for i, d in enumerate(found)]
        return tuple(up), named, down

    def _missed(self, own: Sequence[Device]) -> list[str]:
        """Sentences about what is gone; what is there now is written down."""
        if self._settings.devices == ("cpu",):
            return []
        now = time.time()
        sights = state_file.read(self._file, list[Sight]) or []
        missed = seen.gone(sights, own, now)
        if own and not self.last.devices:
            state_file.write(self._file, seen.kept(missed, own, now))
        return [sight.warning for sight in missed]
