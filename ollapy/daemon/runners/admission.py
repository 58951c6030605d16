"""Admission: what memory a newcomer may take, and who leaves for it. On the daemon's loop."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from ollapy.daemon.runners import memory
from ollapy.daemon.runners.devices import Devices
from ollapy.daemon.runners.elastic import Elastic
from ollapy.daemon.runners.fleet import Fleet
from ollapy.daemon.runners.placement import Goal, Placing
from ollapy.daemon.runners.room import Resident, leaving
from ollapy.daemon.runners.runner import Runner
from ollapy.daemon.runners.serving import Claim
from ollapy.daemon.runners.space import Space, total
from ollapy.store import Stored

logger = logging.getLogger(__name__)


class Admission:
    """Whoever asks for memory does so while it is `deciding`: one model at a time."""

    def __init__(self, fleet: Fleet, devices: Devices) -> None:
        self._fleet = fleet
        self._devices = devices
        self.deciding = asyncio.Lock()
        self.elastic = Elastic(
            self.deciding, partial(self._look, anew=True), fleet.evict
        )
        self._draining: Runner | None = None

    def holds_up(self, model: Stored) -> bool:
        """Whether a model makes room for another, behind which its next requests queue."""
        return self._draining is not None and self._draining.model.loads == model.loads

    async def room(self, newcomer: Runner, placing: Placing | Claim) -> Space:
        """What a model may take, once others have left where they had to.

        Idle ones leave for accelerators and for a good context. For a short one somebody who is used leaves
        too, when the answers under way are done; its next requests wait behind the newcomer, so that nobody
        waits for ever.
        """
        try:
            while True:
                free, others = await self._look(newcomer)
                most = free + total(r.taken for r in others if r.taken)
                if not placing.reaches(Goal.LEAST, most):
                    return most  # for placement to refuse: nobody has to go for that
                going = self._leaving(placing, free, others)
                if going == []:
                    return free
                idle = [r for r in others if not r.uses.num_requests]
                if await self.elastic.reclaim(others if going is None else idle):
                    continue
                for resident in going or ():
                    self._fleet.evict(resident, newcomer.model)
                if going is None:
                    await self._drain(others, newcomer)
        finally:
            self._draining = None
            self._fleet.changed.set()

    async def _look(
        self, newcomer: Runner | None = None, *, anew: bool = False
    ) -> tuple[Space, list[Runner]]:
        """What is free beside all others that have memory, and who they are; devices are asked `anew` or where some go."""
        if await self._fleet.left() or anew:
            await self._devices.look(self._fleet.workers)
        available = await asyncio.to_thread(memory.spare)
        there = self._devices.last.space(available, self._fleet.settings.gpu_overhead)
        others = [r for r in self._fleet if r.taken and r is not newcomer]
        return self._free(there, others), others

    def _free(self, available: Space, others: list[Runner]) -> Space:
        """Beside the others that are loaded, of the machine and of what the settings allow of its memory."""
        free = available - total(other.unseen for other in others)
        if allowed := self._fleet.settings.max_memory:
            taken = total(other.taken for other in others if other.taken)
            free = Space(min(free.host, allowed - taken.host), free.devices)
        return free

    def _leaving(
        self, placing: Placing | Claim, free: Space, others: list[Runner]
    ) -> list[Resident] | None:
        """Who goes for the best that can be reached; None where too many are used."""
        residents = [other.resident for other in others]
        found = (
            leaving(
                partial(placing.reaches, goal),
                free,
                residents,
                max_loaded=self._fleet.settings.max_loaded,
            )
            for goal in Goal
        )
        return next((going for going in found if going is not None), None)

    async def _drain(self, others: list[Runner], newcomer: Runner) -> None:
        """Have the least worth of those who are used become idle; wait until somebody does."""
        used = [r for r in others if r.resident.idle_seconds is None]
        if not used:  # all have, while pools were made smaller
            return
        least = min(used, key=lambda r: r.resident.worth)
        if least is not self._draining:
            names = newcomer.model.name, least.model.name
            logger.info("model=%s waits for the answers of model=%s", *names)
        self._draining = least
        self._fleet.changed.clear()
        await self._fleet.changed.wait()
