"""`python -m ollapy.runner`: a child process that serves one model over its inherited pipes.

It ends when its input does: no runner outlives its daemon. What llama.cpp prints goes to stderr, so
that a stray line cannot damage a frame.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading

from ollapy import logs
from ollapy.lifeline import die_with_parent, forbid_core_files, go_first

from .pipes import Pipes, Receive, Send

logger = logging.getLogger(__name__)

# Grammars are compiled by recursion; some systems give a thread as little as 512 KB.
_STACK = 16 << 20


def main() -> None:
    """Set the process up and serve until the daemon closes the pipe."""
    die_with_parent()
    forbid_core_files()
    go_first()
    pipes = Pipes()
    logs.configure()
    faulthandler.enable()  # where a signal of llama.cpp's found each thread, for the log
    # the engine thread waits this long for the GIL at worst
    sys.setswitchinterval(0.0005)
    threading.stack_size(_STACK)
    try:
        asyncio.run(pipes.serve(_begin))
    except Exception:
        logger.exception("runner failed")
    # Native threads may be in the middle of a decode, and there is nothing left to save.
    os._exit(0)


def _begin(send: Send) -> Receive:
    from .service import Service  # loads llama.cpp

    return Service(send).receive


if __name__ == "__main__":
    main()
