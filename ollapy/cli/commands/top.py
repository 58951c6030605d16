"""`ollapy top`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from .as_json import AsJson

if TYPE_CHECKING:
    from ollapy.client import Client

_BETWEEN = 0.5  # seconds between the two looks that a rate takes
_WIDE = 1000


def top(
    interval: Annotated[
        float, typer.Option("--interval", "-i", metavar="SECONDS", min=0.2, max=3600, help="Between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print how things stand, and end.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Watch models, memory, requests and downloads as they go. `q` leaves.

    Of a model: its size and how much of it is on a GPU, sequences that run and wait, cells of its context memory
    that are used, and tokens read and generated in a second. Without a terminal it prints how things stand.
    """
    from ollapy.cli.output import print_json
    from ollapy.cli.session import connected
    from ollapy.settings import has_escapes

    with connected() as client:
        if as_json:
            print_json(client.snapshot())
        elif once or not sys.stdout.isatty() or not has_escapes():
            _print(client)
        else:
            from ollapy.cli.top.live import watch

            try:
                watch(client.snapshot, interval)
            except KeyboardInterrupt:  # how one leaves
                return


def _print(client: Client) -> None:
    import shutil

    from ollapy.cli.top.rates import rates
    from ollapy.cli.top.view import lines

    before = client.snapshot()
    time.sleep(_BETWEEN)
    now = client.snapshot()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE
    for line in lines(now, rates(before, now), width):
        print(line)
