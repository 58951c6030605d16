"""Roots: where the prefixes of one pool begin. A set of adapters has a root of its own, as nobody else can use its cells."""

from __future__ import annotations

from collections.abc import Iterator

from ollapy.api.adapters import AdapterSet

from .node import Node


class Roots:
    """The root for each set of adapters that something is computed with."""

    def __init__(self) -> None:
        self._roots: dict[AdapterSet, Node] = {}

    def of(self, adapters: AdapterSet) -> Node:
        """The root of what is computed with these."""
        if adapters not in self._roots:
            used = {key: root for key, root in self._roots.items() if root.children}
            self._roots = {**used, adapters: Node([], 0, 0)}
        return self._roots[adapters]

    def adapters(self, root: Node) -> AdapterSet:
        """What is computed below a root."""
        return next(key for key, value in self._roots.items() if value is root)

    def below(self) -> Iterator[Node]:
        """All roots, and all nodes below them."""
        for root in self._roots.values():
            yield from root.below()
