"""What a child process does so as neither to outlive its parent nor to be in anybody's way."""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

_NICENESS = 10
# What the kernel adds to a process's share of the memory, of 1000, when it looks for one to end.
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_FIRST = 300
_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """End at once when stdin does, if it is a pipe: then the parent has its other end."""
    if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        Thread(target=_wait, name="lifeline", daemon=True).start()


def _wait() -> None:
    # not by `sys.stdin`, whose lock Python wants at its own end
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal at its parent's end, should nothing else tell of it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, number)


def yield_to_others() -> None:
    """Whoever chats meanwhile goes first."""
    if sys.platform != "win32":
        os.nice(_NICENESS)


def go_first() -> None:
    """Where memory runs out, the kernel is to end this process, not its parent or what the user works with (Linux)."""
    with suppress(OSError):  # there is none, or a sandbox hides it
        if int(_OOM_SCORE.read_text()) < _FIRST:
            _OOM_SCORE.write_text(str(_FIRST))


def forbid_core_files() -> None:
    """A core file would hold prompts, or a model."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
