"""How a model is best computed here: measured, kept and used. Ollapy's own route."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.tuning import TuneRequest, TuneResponse
from ollapy.daemon.asking import conversation
from ollapy.daemon.endpoint import Endpoint
from ollapy.daemon.gates.body import MAX_ORDER, read
from ollapy.daemon.routes.answering import whole
from ollapy.daemon.runners import tuning
from ollapy.daemon.state import State, state
from ollapy.errors import InvalidRequest
from ollapy.names import ModelName
from ollapy.runner.protocol import Load, Tuned


async def tune(request: Request) -> Response:
    """Try ways to compute a model, for seconds to a minute, and load it with the best from now on.

    It is refused as soon as somebody else asks the model for something.
    """
    body = await read(request, TuneRequest, most=MAX_ORDER)
    if not body.model:
        raise InvalidRequest("model is required")
    return await whole(request, _tuned(state(request), body))


async def _tuned(app: State, body: TuneRequest) -> TuneResponse:
    with app.journal.entry("tune", body) as entry:
        model = await asyncio.to_thread(app.store.get, ModelName.parse(body.model))
        app.journal.begin(entry, str(model.name))
        header = await asyncio.to_thread(lambda: model.header)
        options = conversation.options(None, model)
        async with app.pool.runner(model, options, None) as runner:
            async with aclosing(runner.ask(tuning.order(header))) as events:
                found = await anext(events)
            assert isinstance(found, Tuned)
            assert isinstance(runner.load, Load)
            await asyncio.to_thread(
                tuning.keep, app.settings, header, runner.load, found.tuning
            )
        app.pool.unload(model)  # it is loaded anew by who asks next
        return TuneResponse(str(model.name), found.tuning, found.trials, found.others)


ENDPOINTS = [
    Endpoint("/api/tune", tune, "POST", takes=TuneRequest, gives=TuneResponse),
]
