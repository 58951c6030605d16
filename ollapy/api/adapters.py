"""Adapter: a LoRA that an answer is computed with, and AdapterChoice: how a request names one."""

from __future__ import annotations

import msgspec

# Bytes of adapters that a runner keeps for later, beside those that answers are being computed with.
MAX_IDLE_BYTES = 1 << 30


class Adapter(msgspec.Struct, frozen=True, order=True):
    """A LoRA's file of `size` bytes, known by its digest, and how strongly it acts: 1 is as it was trained."""

    digest: str
    path: str
    size: int
    scale: float = 1.0


class AdapterChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The adapters of a stored model, and how strongly they act: 1 is as they were trained, -1 the contrary."""

    model: str
    scale: float = 1.0


# All that act on an answer, in their order. Only what is computed with the same shares batches and cells.
AdapterSet = tuple[Adapter, ...]
