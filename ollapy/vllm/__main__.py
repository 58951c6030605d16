"""`python -m ollapy.vllm`: a runner whose engine is a vLLM of its own.

It ends when its input does, and vLLM with it: no server outlives the daemon.
"""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial

from ollapy import logs
from ollapy.lifeline import forbid_core_files
from ollapy.runner.pipes import Pipes, Receive, Send

from .server import GRACE
from .service import Service


def main() -> None:
    """Set the process up and serve until the daemon closes the pipe."""
    forbid_core_files()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the daemon decides when it ends
    pipes = Pipes()
    logs.configure()
    asyncio.run(_serve(pipes))


async def _serve(pipes: Pipes) -> None:
    found: list[Service] = []

    def begin(send: Send) -> Receive:
        found.append(Service(send, partial(os._exit, 0)))
        return found[0].receive

    try:
        await pipes.serve(begin)
    finally:
        for service in found:
            await service.close(GRACE)


if __name__ == "__main__":
    main()
