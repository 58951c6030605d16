"""KvCache: where a runner keeps what it has computed of prompts, for the next time that the model is loaded."""

from __future__ import annotations

import msgspec


class KvCache(msgspec.Struct, frozen=True):
    """A folder for all models, `max_bytes` of it at most, and the digests of this one's files.

    Before it goes there it is in the machine's memory, `max_ram` bytes of it.
    """

    folder: str
    max_bytes: int
    model: list[str]
    max_ram: int
