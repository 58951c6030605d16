"""Live: snapshots on a screen of their own, until the person leaves."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from ollapy.api.snapshot import Snapshot
from ollapy.cli.ending import end_in_order
from ollapy.settings import has_colours

from .keys import keys
from .rates import Rates, rates
from .view import lines

_SPECIAL = re.compile(r"\x1b(\[[0-9;]*[A-Za-z~]|O.)")  # arrows and the like
_HEADINGS = ("MODEL", "LOADING", "REQUEST", "DOING")


def watch(take: Callable[[], Snapshot], interval: float) -> None:
    """Show what is taken every so many seconds; `q` or Ctrl-C leaves, and the terminal is as it was before."""
    end_in_order()
    console = Console(no_color=not has_colours(), highlight=False)
    before, now = None, take()  # before the screen changes, as it may fail
    with keys() as wait, Live(console=console, screen=True, auto_refresh=False) as live:
        pressed = ""
        while not _leaves(pressed):
            live.update(_Frame(now, rates(before, now)), refresh=True)
            pressed = wait(interval)
            before, now = now, take()


def _leaves(pressed: str) -> bool:
    """`q`, Ctrl-D, or Escape alone: other keys begin with it too."""
    plain = _SPECIAL.sub("", pressed)
    return plain == "\x1b" or bool({"q", "Q", "\x04"} & {*plain})


class _Frame:
    """As many lines as the terminal has now, as wide as it is now."""

    def __init__(self, snapshot: Snapshot, found: Rates) -> None:
        self._snapshot = snapshot
        self._rates = found

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        height = options.height or options.size.height
        shown = [*lines(self._snapshot, self._rates, options.max_width)]
        if len(shown) > height:
            shown = [*shown[: height - 1], "…"]
        for line in shown:
            style = "bold" if line.startswith(_HEADINGS) else ""
            yield Text(line, style=style, no_wrap=True, overflow="crop")
