"""The models that other programs have on this machine. Ollapy's own route."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.neighbours import NeighbourModel, NeighboursResponse
from ollapy.api.ollama import Details
from ollapy.daemon.answers import responses
from ollapy.daemon.endpoint import Endpoint
from ollapy.daemon.state import state
from ollapy.neighbours import Neighbour, Neighbours
from ollapy.text import clean
from ollapy.units import format_time


async def neighbours(request: Request) -> Response:
    """The models that other programs keep on this machine. A pull with `local` uses them, and so does `ollapy run`."""
    found = await asyncio.to_thread(Neighbours(state(request).settings).models)
    found.sort(key=lambda model: model.modified_at, reverse=True)
    return responses.json(NeighboursResponse([_summary(model) for model in found]))


def _summary(model: Neighbour) -> NeighbourModel:
    return NeighbourModel(
        name=str(model.name),
        model=str(model.name),
        owner=model.owner,
        modified_at=format_time(model.modified_at),
        size=model.size,
        details=_details(model),
    )


def _details(model: Neighbour) -> Details:
    """What another program has written down is anybody's text."""
    config = model.config
    return Details(
        parent_model="",
        format="gguf",
        family=clean(config.model_family),
        families=[clean(f) for f in config.model_families or []] or None,
        parameter_size=clean(config.model_type),
        quantization_level=clean(config.file_type),
    )


ENDPOINTS = [
    Endpoint("/api/neighbours", neighbours, "GET", gives=NeighboursResponse),
]
