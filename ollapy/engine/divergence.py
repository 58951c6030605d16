"""Divergence: where a prompt parts from the nearest one in memory. Plain Python, no model."""

from __future__ import annotations

from dataclasses import dataclass

from .node import Node
from .sequence import Sequence

_EXCERPT = 8  # tokens of each text that are kept to be told


@dataclass(frozen=True, slots=True)
class Divergence:
    """The position of the first token that differs, those before it, and those that follow in either.

    The cached ones may be somebody else's, and are nobody's to see but `asked_by`'s.
    """

    position: int
    shared: list[int]
    prompt: list[int]
    cached: list[int]
    asked_by: str


def divergence(node: Node, length: int, sequence: Sequence) -> Divergence | None:
    """Of a sequence that has `length` tokens in common with the path to a node, and no more with any other.

    None where it differs in none: it was in memory as a whole, or goes on from the end of what was.
    """
    tokens = sequence.tokens
    other = node if length < node.end else next(reversed(node.children), None)
    if other is None or length >= len(tokens) - 1:
        return None
    return Divergence(
        length,
        tokens[max(length - _EXCERPT, 0) : length],
        tokens[length : length + _EXCERPT],
        other.tokens[length : length + _EXCERPT],
        other.asked_by,
    )
