"""Actions: what llama.cpp has to do in its memory for it to be as the prefix tree says."""

from __future__ import annotations

from dataclasses import dataclass

from .path import Path


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a slot off its cells from position `start` to before `end`, by default all that follow.

    Cells that no slot holds any more are free.
    """

    slot: int
    start: int = 0
    end: int = -1


@dataclass(frozen=True, slots=True)
class Share:
    """Let a slot hold another's cells of the positions before `end` too; nothing is copied.

    With a checkpoint's `state` the model is put back to it, and source and target may be the same.
    """

    source: int
    target: int
    end: int
    state: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Keep:
    """A slot is about to lose what it holds, which may be kept elsewhere."""

    slot: int
    path: Path


Action = Remove | Share | Keep
