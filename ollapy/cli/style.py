"""Style: how answers are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Style:
    """How answers are shown; `verbose` adds the figures. Markdown is not rendered without `wordwrap`."""

    thinking: bool = True
    wordwrap: bool = True
    verbose: bool = False
    markdown: bool = True
