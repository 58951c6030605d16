"""A child process that says on stdout, record by record, how far it is. It ends when nobody waits any more."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from typing import IO

from ollapy.errors import OllapyError
from ollapy.operation import Operation

from .temporary import temporary

logger = logging.getLogger(__name__)

_PATIENCE = 0.1  # seconds between two looks at whether anybody waits
_MAX_LOG = 64 << 10


def lines_of(
    module: str, *arguments: str, env: Mapping[str, str], operation: Operation
) -> Iterator[bytes]:
    """What `python -m module` prints; OllapyError where it does not end well, Cancelled where nobody waits.

    Nothing in the working folder or named by PYTHON… is imported. Its stdin ends with this process.
    """
    command = (sys.executable, "-E", "-P", "-m", module, *arguments)
    with temporary(TemporaryFile) as log, _started(command, env, log) as process:
        assert process.stdout
        lines: SimpleQueue[bytes | None] = SimpleQueue()
        reader = Thread(target=_read, args=(process.stdout, lines))
        reader.start()
        try:
            yield from _arriving(lines, operation)
            _check(module, process.wait(), log)
        finally:
            process.kill()
            reader.join()  # it ends with the process


@contextmanager
def _started(
    command: tuple[str, ...], env: Mapping[str, str], log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=log, env=dict(env)
    ) as process:
        yield process


def _read(output: IO[bytes], lines: SimpleQueue[bytes | None]) -> None:
    for line in output:
        lines.put(line)
    lines.put(None)


def _arriving(
    lines: SimpleQueue[bytes | None], operation: Operation
) -> Iterator[bytes]:
    while True:
        operation.check()
        try:
            line = lines.get(timeout=_PATIENCE)
        except Empty:
            continue
        if line is None:
            return
        yield line


def _check(module: str, status: int, log: IO[bytes]) -> None:
    if status == 0:
        return
    log.seek(0)
    said = log.read(_MAX_LOG).decode("utf-8", "replace").strip()
    logger.error("child failed module=%s status=%d said=%s", module, status, said)
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    raise OllapyError(
        f"the process that makes the model has unexpectedly stopped, ollapy's log may say why ({how})"
    )
