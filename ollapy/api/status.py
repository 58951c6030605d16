"""Wire types of ollapy's own routes that tell how things are."""

from __future__ import annotations

import msgspec

from .loading import LoadState
from .report import ContextReport


class PlacementReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a model was when it answered: so many bytes in all, on accelerators and by device; on another server, or in another engine.

    `accelerators` are those that models may use, `kv_type` is what its context was kept as, `num_threads` computed
    at most what the processor had.
    """

    size: int = 0
    size_vram: int = 0
    devices: dict[str, int] = {}
    accelerators: list[str] = []
    kv_type: str = ""
    num_threads: int = 0
    host: str = ""
    engine: str = ""


class RequestEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to a model. Durations are nanoseconds, 0 where it has not come so far.

    `outcome` is `running`, `cancelled`, `failed` with its `error`, or how the answer ended, by the `stop` string that
    it came to. `first_token_duration` counts from the request. `beside` are the requests to the same model that
    were under way when it came, `waited_for` those that kept it waiting when the model was there, as they left no
    `room` or were reading the same `prompt`, which is what `wait` says. `placement` is where the model was.
    While there is no answer, `loading` is the model that it waits for, and `ahead` how many wait for a place before it.
    `client` is what its client calls itself. `request`, as JSON, is there only where the daemon is set to keep it.
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
    thinking_tokens: int = 0
    thinking_cut: bool = False
    parse_error: str = ""
    stop: str = ""
    forced_tokens: int = 0
    preemptions: int = 0
    beside: list[int] = []
    client: str = ""
    loading: LoadState | None = None
    ahead: int | None = None
    waited_for: list[int] = []
    wait: str = ""
    placement: PlacementReport | None = None
    context: ContextReport | None = None
    request: str = ""


class RequestsResponse(msgspec.Struct, frozen=True):
    """The answer of `/api/requests`: those under way, then the last that have ended, newest first."""

    requests: list[RequestEntry]
