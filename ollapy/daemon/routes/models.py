"""The models there are and the models that are loaded: tags, ps, show, copy, delete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import (
    CopyRequest,
    DamagedModel,
    ModelRequest,
    ModelSummary,
    PsResponse,
    RunningModel,
    ShowResponse,
    TagsResponse,
)
from ollapy.daemon.answers import responses
from ollapy.daemon.describe import (
    details,
    engine_of,
)
from ollapy.daemon.elsewhere import running, shown, summary
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.gates.body import MAX_ORDER, read
from ollapy.daemon.observation.waiting import loads
from ollapy.daemon.runners.runner import Runner
from ollapy.daemon.runners.uses import Use
from ollapy.daemon.showing import everything
from ollapy.daemon.state import state
from ollapy.errors import (
    InvalidName,
    InvalidRequest,
    ModelNotFound,
    OllapyError,
)
from ollapy.kvcache.usage import clear
from ollapy.names import ModelName
from ollapy.remote import VIA, RemoteModel
from ollapy.runner.protocol import Ready
from ollapy.store import Store, Stored
from ollapy.units import format_instant, format_time

logger = logging.getLogger(__name__)

_COPILOT = "GitHubCopilotChat/"  # shows the base name where it means the model's


async def tags(request: Request) -> Response:
    """The models that are here, newest first, then those of another server."""
    here, found = await asyncio.to_thread(_tags, state(request).store)
    others, problem = await elsewhere(request, here)
    models = [*found.models, *map(summary, others)]
    return responses.json(
        msgspec.structs.replace(found, models=models, unreachable=problem)
    )


async def ps(request: Request) -> Response:
    """The models that are loaded, and those of another server."""
    pool = state(request).pool
    loaded = sorted(pool.runners, key=lambda r: r.uses.expires_at, reverse=True)
    rows = [
        _running(runner, runner.ready, use)
        for runner in loaded
        if runner.ready
        for use in runner.uses.current
    ]
    others, _ = await elsewhere(request)
    return responses.json(
        PsResponse(
            [*rows, *map(running, others)],
            [*pool.devices.last.warnings],
            loads(pool),
        )
    )


async def show(request: Request) -> Response:
    """Everything about a model."""
    body = await read(request, ModelRequest, most=MAX_ORDER)
    if not body.given:
        raise InvalidRequest("model is required")
    answer = await _show(request, body)
    if request.headers.get("User-Agent", "").startswith(_COPILOT):
        answer.model_info["general.basename"] = body.given
    return responses.json(answer)


async def _show(request: Request, body: ModelRequest) -> ShowResponse:
    try:
        return await asyncio.to_thread(everything, state(request).store, body)
    except ModelNotFound as exc:
        remote = state(request).remote
        return shown(await remote.get(ModelName.parse(body.given), str(exc)))


async def elsewhere(
    request: Request, here: Iterable[Stored] | None = None
) -> tuple[list[RemoteModel], str]:
    """The models of another server that no namesake `here` hides, and why there are none where it does not say.

    A daemon that asks is told of none: daemons that know each other, or one itself, would ask without end.
    """
    if request.headers.get("Via") == VIA:
        return [], ""
    try:
        models = await state(request).remote.models()
    except OllapyError as exc:
        logger.warning("models of the other server are not known: %s", exc)
        return [], str(exc)
    if here is None and models:
        here = await asyncio.to_thread(state(request).store.models)
    names = {model.name.key for model in here or ()}
    return [model for model in models if model.name.key not in names], ""


async def copy(request: Request) -> Response:
    """Give a model a second name."""
    body = await read(request, CopyRequest, most=MAX_ORDER)
    source = _parse(body.source, f'source "{body.source}" is invalid')
    destination = _parse(
        body.destination, f'destination "{body.destination}" is invalid'
    )
    try:
        await asyncio.to_thread(state(request).store.copy, source, destination)
    except ModelNotFound:
        raise ModelNotFound(f'model "{body.source}" not found') from None
    return Response(status_code=HTTPStatus.OK)


async def delete(request: Request) -> Response:
    """Remove a model; one that is loaded leaves memory when nobody uses it any more."""
    body = await read(request, ModelRequest, most=MAX_ORDER)
    if not body.given:
        raise InvalidRequest("model is required")
    name = _parse(body.given, f'name "{body.given}" is invalid')
    app = state(request)
    try:
        gone = await asyncio.to_thread(app.store.delete, name)
    except ModelNotFound:
        raise ModelNotFound(f"model '{body.given}' not found") from None
    app.pool.forget(name)
    for digest in gone:  # what was computed with them says what was asked
        await asyncio.to_thread(clear, app.settings.kv_cache, str(digest))
    return Response(status_code=HTTPStatus.OK)


def _parse(text: str, invalid: str) -> ModelName:
    try:
        return ModelName.parse(text)
    except InvalidName:
        raise InvalidName(invalid) from None


def _tags(store: Store) -> tuple[list[Stored], TagsResponse]:
    models, damaged = store.survey()
    return models, TagsResponse(
        [_summary(model) for model in models],
        [DamagedModel(str(name), str(exc)) for name, exc in damaged.items()],
    )


def _summary(model: Stored) -> ModelSummary:
    return ModelSummary(
        name=str(model.name),
        model=str(model.name),
        modified_at=format_time(model.modified_at),
        size=model.size,
        digest=model.digest.hex,
        details=details(model, lengths=True),
        capabilities=model.capabilities,
        engine=engine_of(model),
    )


def _running(runner: Runner, ready: Ready, use: Use) -> RunningModel:
    model = use.model
    return RunningModel(
        name=str(model.name),
        model=str(model.name),
        size=ready.size,
        digest=model.digest.hex,
        details=msgspec.structs.replace(details(model), parent_model=""),
        expires_at=format_instant(use.expires_at),
        size_vram=ready.size_vram,
        context_length=ready.num_ctx,
        shared_with=[n for n in runner.names if n != str(model.name)],
        engine=engine_of(model),
        kv_type=runner.placed.kv_type if runner.placed else "",
        layers=runner.layers,
        notes=list(runner.placed.notes) if runner.placed else [],
        num_cpu_moe=runner.placed.layout.num_cpu_moe if runner.placed else 0,
        buffers=ready.buffers,
    )


ENDPOINTS = [
    Endpoint("/api/tags", tags, "GET", gives=TagsResponse, needs=Scope.INFER),
    Endpoint("/api/ps", ps, "GET", gives=PsResponse, needs=Scope.INFER),
    Endpoint(
        "/api/show",
        show,
        "POST",
        takes=ModelRequest,
        gives=ShowResponse,
        needs=Scope.INFER,
    ),
    Endpoint("/api/copy", copy, "POST", takes=CopyRequest),
    Endpoint("/api/delete", delete, "DELETE", takes=ModelRequest),
]
