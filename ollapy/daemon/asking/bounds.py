"""How many entries the lists of a request may have: more than anybody needs, and few enough to go through at once."""

from __future__ import annotations

from collections.abc import Sized

from ollapy.errors import InvalidRequest

MAX_MESSAGES, MAX_TOOLS = 10_000, 512


def check(name: str, entries: Sized | None, most: int) -> None:
    """InvalidRequest where there are more."""
    if entries is not None and len(entries) > most:
        raise InvalidRequest(
            f"{name} has {len(entries)} entries, at most {most} are taken"
        )
