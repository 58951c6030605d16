"""Leaves: llama.cpp's sequence ids, and what each holds. Plain Python, no model."""

from __future__ import annotations

from collections.abc import Iterator

from .media import held
from .node import Node


class Leaves:
    """The leaves of all trees by their slots, and the slots that are free."""

    def __init__(self, num_slots: int) -> None:
        self._free = list(range(num_slots - 1, -1, -1))
        self._leaves: dict[int, Node] = {}

    def __iter__(self) -> Iterator[Node]:
        return iter(self._leaves.values())

    def __getitem__(self, slot: int | None) -> Node:
        assert slot is not None
        return self._leaves[slot]

    def __len__(self) -> int:
        return len(self._leaves)

    @property
    def running(self) -> Iterator[Node]:
        """Those that sequences run on."""
        return (leaf for leaf in self if leaf.owner is not None)

    @property
    def vacant_slot(self) -> int | None:
        """The one that is taken next; None where all are held."""
        return self._free[-1] if self._free else None

    @property
    def can_add(self) -> bool:
        """Whether there is a slot for one more, or an idle leaf to take one from."""
        return bool(self._free) or any(leaf.is_idle for leaf in self)

    @property
    def positions(self) -> dict[int, int]:
        """How many positions each slot holds."""
        return {slot: held(n.tokens, n.end) for slot, n in self._leaves.items()}

    def oldest(self, keep: Node | None = None) -> Node | None:
        """The idle leaf that was used longest ago, but for one."""
        idle = (leaf for leaf in self if leaf.is_idle and leaf is not keep)
        return min(idle, key=lambda leaf: leaf.used_at, default=None)

    def add(self, leaf: Node) -> int:
        """Give a leaf the vacant slot."""
        leaf.slot = slot = self._free.pop()
        self._leaves[slot] = leaf
        return slot

    def remove(self, leaf: Node) -> None:
        """Its slot is free again."""
        assert leaf.slot is not None
        del self._leaves[leaf.slot]
        self._free.append(leaf.slot)

    def check(self) -> None:
        """Leaves and slots belong together, and no slot is held and free."""
        assert all(leaf.slot == slot for slot, leaf in self._leaves.items()), self
        assert not set(self._leaves) & set(self._free), self
