"""What a parser found, put together."""

from __future__ import annotations

from collections.abc import Iterable

from ollapy.chat.parser import Parsed


def joined(parts: Iterable[Parsed]) -> Parsed:
    """All content, all thinking and all calls."""
    parts = list(parts)
    return Parsed(
        "".join(part.content for part in parts),
        "".join(part.thinking for part in parts),
        [call for part in parts for call in part.tool_calls],
    )
