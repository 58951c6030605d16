"""Finding markers (stop strings, tags) in a text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Collection


def split(pending: str, markers: Collection[str]) -> tuple[str, str | None, str]:
    """The text before the first marker, that marker, and the text after it.

    While no marker is whole it is None, and the rest is the end of `pending` that may yet become one:
    put it before the next piece and ask again.
    """
    found = [(at, marker) for marker in markers if (at := pending.find(marker)) >= 0]
    if found:
        at, marker = min(found, key=lambda hit: (hit[0], -len(hit[1])))
        return pending[:at], marker, pending[at + len(marker) :]
    longest = max(map(len, markers), default=1)
    for at in range(max(0, len(pending) - longest + 1), len(pending)):
        if any(marker.startswith(pending[at:]) for marker in markers):
            return pending[:at], None, pending[at:]
    return pending, None, ""
