"""Actions: what llama.cpp has to do in its memory for it to be as the prefix tree says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a slot off its cells from position `start` on; cells that no slot holds any more are free."""

    slot: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """Let a slot hold another's cells of the positions before `end` too; nothing is copied.

    With a checkpoint's `state` the model is put back to it, and source and target may be the same.
    """

    source: int
    target: int
    end: int
    state: bytes | None = None


Action = Remove | Share
