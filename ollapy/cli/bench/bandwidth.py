"""Bandwidth: how fast this machine's memory is.

`python -m ollapy.cli.bench.bandwidth` prints bytes a second, in a process whose memory is gone with it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from ollapy.daemon.runners.cores import num_cores

_SIZE = 256 << 20  # bytes that all threads copy together, more than most caches hold
_ROUNDS = 7
_SECONDS = 60

Bytes = npt.NDArray[np.uint8]


def bandwidth() -> float:
    """Bytes a second, measured in a child; 0 where that fails."""
    command = [sys.executable, "-P", "-m", __spec__.name]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        return float(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        return 0.0


def measured(size: int = _SIZE, rounds: int = _ROUNDS) -> float:
    """The best of some rounds: each byte that is copied is read and written."""
    count = num_cores()
    part = size // count
    pairs = [(np.ones(part, np.uint8), np.zeros(part, np.uint8)) for _ in range(count)]
    with ThreadPoolExecutor(count) as threads:
        return max(_round(threads, pairs) for _ in range(rounds))


def _round(threads: ThreadPoolExecutor, pairs: list[tuple[Bytes, Bytes]]) -> float:
    started = time.perf_counter()
    for _ in threads.map(lambda pair: np.copyto(pair[1], pair[0]), pairs):
        pass
    return sum(2 * source.nbytes for source, _ in pairs) / (time.perf_counter() - started)  # fmt: skip


if __name__ == "__main__":
    print(measured())
