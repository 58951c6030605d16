"""What the daemon does and has done: metrics, the last requests. Ollapy's own routes."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.snapshot import Snapshot
from ollapy.api.status import RequestsResponse
from ollapy.daemon.answers import responses
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.observation.engine_stats import engine_stats
from ollapy.daemon.observation.journal import Journal
from ollapy.daemon.observation.metrics import Gauges
from ollapy.daemon.observation.snapshot import snapshot as taken
from ollapy.daemon.observation.waiting import running
from ollapy.daemon.runners.pool import RunnerPool
from ollapy.daemon.state import state
from ollapy.kvcache.usage import kept_files

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
# Counters of an engine that are told, and under which names.
_OF_ENGINES = {
    "running": "running_sequences",
    "waiting": "waiting_sequences",
    "cells": "cells",
    "used_cells": "used_cells",
    "pinned_cells": "pinned_cells",
}


async def metrics(request: Request) -> Response:
    """Counters, histograms and gauges in Prometheus' text format."""
    gauges = await _gauges(state(request).pool, state(request).journal)
    root = state(request).settings.kv_cache
    kept = await asyncio.to_thread(kept_files, root)
    gauges = {**gauges, "kv_cache_bytes": {"": sum(file.size for file in kept)}}
    return Response(state(request).metrics.text(gauges), media_type=_TEXT)


async def requests(request: Request) -> Response:
    """The requests to models that are under way, and the last that have ended, with their timings: all of them, or the asker's own.

    With `client` in the query those of the client that calls itself so.
    """
    now, client = state(request), request.query_params.get("client")
    found = [*await running(now.pool, now.journal), *now.journal.ended]
    if client is not None:
        found = [entry for entry in found if entry.client == client]
    return responses.json(RequestsResponse(found))


async def snapshot(request: Request) -> Response:
    """What the daemon does at this moment: models with their engines' counters, requests, pulls and the like."""
    return responses.json(await taken(state(request)))


async def _gauges(pool: RunnerPool, journal: Journal) -> Gauges:
    """Models that share a load have one value, under all their names: sums over models are right."""
    engines = {",".join(r.names): c for r, c in (await engine_stats(pool)).items()}
    found = {
        told: {model: float(c[name]) for model, c in engines.items() if name in c}  # type: ignore[arg-type]
        for name, told in _OF_ENGINES.items()
    }
    ready = [(",".join(r.names), r.ready) for r in pool.runners]
    return {
        "requests_running": {"": journal.num_running},
        "requests_waiting": {"": pool.num_waiting},
        "models_loaded": {"": len(ready)},
        "model_bytes": {name: r.size for name, r in ready if r},
        "model_accelerator_bytes": {name: r.size_vram for name, r in ready if r},
        **found,
    }


ENDPOINTS = [
    Endpoint("/metrics", metrics, "GET"),
    Endpoint("/api/snapshot", snapshot, "GET", gives=Snapshot),
    Endpoint(
        "/api/requests", requests, "GET", gives=RequestsResponse, needs=Scope.INFER
    ),
]
