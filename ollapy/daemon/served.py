"""Served: the models that can be asked, on the runners of a pool or on another server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import msgspec

from ollapy.api.options import Options
from ollapy.api.status import PlacementReport
from ollapy.daemon.asking import adapters
from ollapy.daemon.asking.defaults import filled
from ollapy.daemon.observation.entry import Entry
from ollapy.daemon.observation.placed import placed
from ollapy.daemon.runners.inbox import Event
from ollapy.daemon.runners.pool import RunnerPool
from ollapy.errors import ModelNotFound, OllapyError
from ollapy.names import ModelName
from ollapy.remote import Remote, RemoteModel
from ollapy.runner.protocol import Question
from ollapy.store import Store, Stored

R = TypeVar("R", bound=msgspec.Struct)
Ask = Callable[[Question], AsyncGenerator[Event, None]]


class _InTheCloud(OllapyError):
    status = HTTPStatus.FORBIDDEN


class Served:
    """Finds a model, has it loaded while it is asked, and lets it go."""

    def __init__(self, store: Store, pool: RunnerPool, remote: Remote) -> None:
        self._store = store
        self._pool = pool
        self._remote = remote

    def filled(self, request: R) -> R:
        """The request with what the settings say of its model, where it says nothing itself."""
        return filled(request, self._pool.settings)

    async def find(self, text: str, missing: str) -> Stored | RemoteModel:
        """The model of that name, what it can do looked up; `missing` is the sentence where there is none."""
        if not text:
            raise ModelNotFound(missing)
        name = ModelName.parse(text)
        model = await asyncio.to_thread(self._store.find, name)
        if model is None:
            return await self._elsewhere(name, missing)
        await asyncio.to_thread(lambda: model.capabilities)
        return model

    async def _elsewhere(self, name: ModelName, missing: str) -> RemoteModel:
        try:
            return await self._remote.get(name, missing)
        except ModelNotFound:
            if name.tag == "cloud" or name.tag.endswith("-cloud"):
                raise _InTheCloud(
                    "ollama cloud is disabled: remote model is unavailable, use one that runs here"
                ) from None
            raise

    @asynccontextmanager
    async def loaded(
        self,
        model: Stored | RemoteModel,
        chosen: Options,
        keep_alive: float | None,
        entry: Entry,
    ) -> AsyncGenerator[Ask, None]:
        """By what to ask a model, which stays loaded while the block runs; the entry learns where it is."""
        wanted = await adapters.wanted(chosen, model, self._store)
        if isinstance(model, RemoteModel):
            entry.is_loaded(PlacementReport(host=model.host))
            yield partial(self._remote.ask, model)
            return
        async with self._pool.runner(model, chosen, keep_alive, wanted) as runner:
            assert runner.held
            there = self._pool.devices.last
            entry.is_loaded(placed(runner.load, runner.held, there))
            yield lambda question: runner.ask(adapters.adapted(question, wanted))

    def unload(self, model: Stored | RemoteModel) -> None:
        """Let it go as soon as nobody uses it."""
        if isinstance(model, RemoteModel):
            raise model.unsupported("which keeps it loaded: stop it there")
        self._pool.forget(model.name)
