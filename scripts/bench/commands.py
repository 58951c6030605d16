"""What the quick commands take beside the daemon's own work, which is measured in turn with them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from statistics import median

from .host import Host, run
from .report import Row
from .streams import Record, stream_all

_PROMPT = "Tell me a long story."
_QUESTION: Record = {"model": "tiny", "prompt": _PROMPT}
_OLLAPY = ("-c", "from ollapy.cli.main import main; main()")  # as installed
_ROUNDS = 5  # of each, for every round that is asked for


def commands(host: Host, rounds: int) -> Iterator[Row]:
    """How much later `ollapy run` begins its answer than the API, and the processor's time of `ollapy list --json`."""
    later, lists = [], []
    with host.daemon():
        stream_all(host.port, _QUESTION)
        for _ in range(rounds * _ROUNDS):
            api = stream_all(host.port, _QUESTION)[0].seconds_to_first
            later.append(_seconds_to_first(host) - api)
            lists.append(run(*_OLLAPY, "list", "--json", env=host.env).cpu)
    bare = min(run("-c", "pass").wall for _ in range(rounds * _ROUNDS))
    yield Row(
        "ollapy run, first token later than the API's",
        median(later) * 1e3,
        "ms",
        50.0,
        f"best {min(later) * 1e3:.0f} ms, of which {bare * 1e3:.0f} ms are Python's own start",
    )
    detail = f"best {min(lists) * 1e3:.0f} ms"
    yield Row("ollapy list --json, CPU", median(lists) * 1e3, "ms", 110.0, detail)


def _seconds_to_first(host: Host) -> float:
    """On a terminal, where Markdown is rendered."""
    screen, terminal = os.openpty()
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *_OLLAPY, "run", "tiny", _PROMPT],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**host.env, "TERM": "xterm"},
    ) as process:
        os.close(terminal)
        os.read(screen, 1)
        seconds = time.perf_counter() - started
        with suppress(OSError):  # how Linux says that the other end is closed
            while os.read(screen, 1 << 16):
                pass
        process.wait()
    os.close(screen)
    return seconds
