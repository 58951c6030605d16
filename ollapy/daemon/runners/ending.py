"""Ending: what the end of a runner's process is to those whom it owes an answer."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from ollapy.errors import OutOfMemory, RunnerStopped

_VMSTAT = Path("/proc/vmstat")


def num_kills(file: Path = _VMSTAT) -> int:
    """Processes that the kernel has ended for want of memory, in its control groups too; 0 where it does not say."""
    try:
        text = file.read_text()
    except OSError:
        return 0
    found = re.search(r"^oom_kill ([0-9]+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def ended(status: int, kills_before: int) -> RunnerStopped:
    """By its exit status, negative for a signal, and what the kernel had ended when it began."""
    if status == -signal.SIGKILL and num_kills() > kills_before:
        return OutOfMemory(
            "the system ran out of memory and ended the model's runner: close other programs or choose a smaller "
            "model, this one gets only a short context for the next ten minutes"
        )
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return RunnerStopped(
        "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
        f"check ollapy's log for details ({how})"
    )
