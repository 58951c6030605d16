"""Wire type of a model that is on its way into memory; ollapy's own."""

from __future__ import annotations

import msgspec


class LoadState(msgspec.Struct, frozen=True, omit_defaults=True):
    """`waiting` for memory, `loading` its files from the disk, or `preparing` them where it computes; so many bytes of `total` are done.

    `said` is what an engine says of it that does not count.
    """

    name: str
    status: str
    completed: int = 0
    total: int = 0
    said: str = ""
