"""KvCache: where a runner keeps what it has computed of prompts, for the next time that the model is loaded."""

from __future__ import annotations

import msgspec


class KvCache(msgspec.Struct, frozen=True):
    """A folder for all models, `max_bytes` of it at most, and the digests of this one's files."""

    folder: str
    max_bytes: int
    model: list[str]
