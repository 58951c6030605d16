"""Wire types of ollapy's own routes that tell how things are."""

from __future__ import annotations

import msgspec

from .report import ContextReport


class RequestEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to a model. Durations are nanoseconds, 0 where it has not come so far.

    `outcome` is `running`, `cancelled`, `failed` with its `error`, or how the answer ended. `first_token_duration`
    counts from the request. `request`, as JSON, is there only where the daemon is set to keep it.
    """

    id: int
    kind: str
    model: str
    created_at: str
    outcome: str
    error: str = ""
    total_duration: int = 0
    load_duration: int = 0
    queue_duration: int = 0
    first_token_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    context: ContextReport | None = None
    request: str = ""


class RequestsResponse(msgspec.Struct, frozen=True):
    """The answer of `/api/requests`: those under way, then the last that have ended, newest first."""

    requests: list[RequestEntry]
