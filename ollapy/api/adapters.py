"""Adapter: a LoRA that an answer is computed with."""

from __future__ import annotations

import msgspec


class Adapter(msgspec.Struct, frozen=True, order=True):
    """A LoRA's file of `size` bytes, known by its digest, and how strongly it acts: 1 is as it was trained."""

    digest: str
    path: str
    size: int
    scale: float = 1.0


# All that act on an answer, in their order. Only what is computed with the same shares batches and cells.
AdapterSet = tuple[Adapter, ...]
