"""The care of the store: prune, verify, du. Ollapy's own routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.care import (
    Damaged,
    ModelUsage,
    PruneRequest,
    PruneResponse,
    Unneeded,
    UsageResponse,
    VerifyProgress,
    VerifyRequest,
)
from ollapy.daemon.answers import responses
from ollapy.daemon.endpoint import Endpoint
from ollapy.daemon.gates.body import MAX_ORDER, read
from ollapy.daemon.operations import answer
from ollapy.daemon.state import state
from ollapy.errors import Cancelled, CorruptManifest, OllapyError
from ollapy.kvcache.usage import clear, kept_files
from ollapy.names import ModelName
from ollapy.operation import Operation
from ollapy.pulling import Puller
from ollapy.store.prune import Limits, Waste
from ollapy.store.usage import ModelUsage as StoredUsage
from ollapy.store.verify import Damage

_NO_LIMITS = Limits(blobs=0, downloads=0)


async def prune(request: Request) -> Response:
    """Delete from the store what nobody needs."""
    body = await read(request, PruneRequest, most=MAX_ORDER)
    if body.kv_cache:
        root = state(request).settings.kv_cache
        return await asyncio.to_thread(_prune_kv_cache, root, body)
    gone = await asyncio.to_thread(
        state(request).store.prune,
        _NO_LIMITS if body.all else None,
        dry_run=bool(body.dry_run),
    )
    removed = [_unneeded(waste) for waste in gone]
    return responses.json(PruneResponse(removed, sum(r.size for r in removed)))


def _prune_kv_cache(root: Path, body: PruneRequest) -> Response:
    files = kept_files(root) if body.dry_run else clear(root)
    removed = [Unneeded("computed prompt", f.path.stem, f.size) for f in files]
    return responses.json(PruneResponse(removed, sum(r.size for r in removed)))


async def usage(request: Request) -> Response:
    """What takes how much of the disk."""
    found = await asyncio.to_thread(state(request).store.usage)
    models = [_model_usage(model) for model in found.models]
    kept = await asyncio.to_thread(kept_files, state(request).settings.kv_cache)
    return responses.json(
        UsageResponse(
            models,
            found.total,
            found.unneeded,
            found.downloads,
            found.leftovers,
            sum(file.size for file in kept),
        )
    )


async def verify(request: Request) -> Response:
    """Read what is in the store, and say what is damaged. A model that is repaired leaves memory when nobody uses it any more."""
    body = await read(request, VerifyRequest, most=MAX_ORDER)
    names = [ModelName.parse(text) for text in body.given]
    loop, app = asyncio.get_running_loop(), state(request)
    repair = _Repair(
        Puller(app.store, app.settings, insecure=bool(body.insecure)),
        lambda name: loop.call_soon_threadsafe(app.pool.forget, name),
    )

    def work(operation: Operation) -> object:
        found = app.store.verify(names, operation)
        damaged = [
            repair.run(damage, operation) if body.repair else _damaged(damage)
            for damage in found
        ]
        is_well = all(damage.repaired for damage in damaged)
        return VerifyProgress("success" if is_well else "damaged", damaged=damaged)

    return await answer(
        request, work, ", ".join(body.given), stream=body.stream is not False
    )


class _Repair:
    """Pulls models again. `forget` hears of those that came."""

    def __init__(self, puller: Puller, forget: Callable[[ModelName], object]) -> None:
        self._puller = puller
        self._forget = forget

    def run(self, damage: Damage, operation: Operation) -> Damaged:
        """Until one of the models has brought what is damaged; why none has is added to the problem."""
        needed = frozenset({damage.digest} if damage.digest else ())
        reasons = []
        for name in damage.models:
            if self._is_whole(damage):  # with another damage of the same model
                break
            try:
                self._puller.pull(name, operation, needed=needed)
            except Cancelled:
                raise
            except OllapyError as exc:
                reasons.append(str(exc))
            else:
                self._forget(name)
        if self._is_whole(damage):
            return _damaged(damage, repaired=True)
        reason = f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
        return _damaged(damage, reason=reason)

    def _is_whole(self, damage: Damage) -> bool:
        store = self._puller.store
        if damage.digest:
            return store.blobs.exists(damage.digest)
        try:
            return all(store.entry(name) for name in damage.models)
        except CorruptManifest:
            return False


def _unneeded(waste: Waste) -> Unneeded:
    kind, digest = waste.thing
    name = str(digest) if digest else f"{len(waste.files)} files"
    return Unneeded(kind.value, name, waste.size)


def _model_usage(model: StoredUsage) -> ModelUsage:
    return ModelUsage(
        name=str(model.name),
        size=model.size,
        own=model.own,
        shared=model.shared,
        elsewhere=model.elsewhere,
        shared_with=[str(name) for name in model.shared_with],
    )


def _damaged(damage: Damage, *, reason: str = "", repaired: bool = False) -> Damaged:
    models = [str(name) for name in damage.models]
    digest = str(damage.digest) if damage.digest else ""
    return Damaged(f"{damage.problem}{reason}", models, digest, repaired)


ENDPOINTS = [
    Endpoint("/api/prune", prune, "POST", takes=PruneRequest, gives=PruneResponse),
    Endpoint("/api/du", usage, "GET", gives=UsageResponse),
    Endpoint(
        "/api/verify",
        verify,
        "POST",
        takes=VerifyRequest,
        gives=VerifyProgress,
        streams=True,
    ),
]
