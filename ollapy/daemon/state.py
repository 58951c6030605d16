"""State: what the application keeps for its routes, with the types that Starlette's does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from starlette.requests import Request

if TYPE_CHECKING:  # some of these answer requests themselves
    from ollapy.daemon.conversations import Conversations
    from ollapy.daemon.generation import Generation
    from ollapy.daemon.observation.journal import Journal
    from ollapy.daemon.observation.metrics import Metrics
    from ollapy.daemon.operations import Operations
    from ollapy.daemon.runners.pool import RunnerPool
    from ollapy.remote import Remote
    from ollapy.settings import Settings
    from ollapy.store import Store


class State(Protocol):
    """Made with the application, or as it starts. `stop` ends the daemon."""

    conversations: Conversations
    generation: Generation
    journal: Journal
    metrics: Metrics
    operations: Operations
    pool: RunnerPool
    remote: Remote
    settings: Settings
    stop: Callable[[], None]
    store: Store


def state(request: Request) -> State:
    """That of the application that a request is for."""
    return cast(State, request.app.state)
