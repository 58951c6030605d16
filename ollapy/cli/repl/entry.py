"""What is typed: one line, or several between triple quotes."""

from __future__ import annotations

_FENCE = '"""'
_BEFORE = ("", "/system", "/set system")


def is_unfinished(entry: str) -> bool:
    """Whether it has opening quotes and no closing ones."""
    before, fence, rest = entry.partition(_FENCE)
    opens = fence and " ".join(before.split()) in _BEFORE
    return bool(opens) and not rest.rstrip().endswith(_FENCE)


def message(entry: str) -> str:
    """The message that an entry is, without its quotes; empty where there is none."""
    text = entry.strip()
    if text.startswith(_FENCE):
        return text.removeprefix(_FENCE).removesuffix(_FENCE).strip("\n")
    return text
