"""What ollapy adds to the requests of other APIs."""

from __future__ import annotations

from typing import Any

import msgspec


class OwnFields(msgspec.Struct, frozen=True):
    """The model, and what Ollama's API and ollapy know beside what the other API does.

    `num_ctx` is the one of `options`. A prompt that does not fit is refused unless `truncate`.
    """

    model: str = ""
    options: dict[str, Any] | None = None
    num_ctx: Any = None
    keep_alive: float | str | None = None
    truncate: bool | None = None
    priority: str | None = None
