"""Branches that no model has computed."""

from __future__ import annotations

from ollapy.kvcache.branch import AdapterKey, Branch, Outline, State, as_tokens


def branch(
    length: int = 8, *, first: int = 1, adapters: AdapterKey = (), size: int = 64
) -> Branch:
    """Of ascending tokens, with a state at its half and one of so many bytes at its end."""
    states = (
        State(length // 2, memoryview(b"half")),
        State(length, memoryview(b"\1" * size)),
    )
    outline = Outline(
        as_tokens(range(first, first + length)),
        adapters,
        "me",
        0.001,
        tuple(state.position for state in states),
        sum(len(state.data) for state in states),
    )
    return Branch(outline, states, 0.0)
