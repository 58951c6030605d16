"""`python -m ollapy.chat IDLE`: renders templates for another process until its input ends.

The kernel ends this process when a template takes too long (a signal that nothing here catches, so that an
endless loop in C ends too), and refuses it memory beyond a limit.
"""

from __future__ import annotations

import gc
import resource
import signal
import sys
from contextlib import suppress
from functools import lru_cache

import msgspec

from ollapy.decoding import from_msgpack
from ollapy.errors import InvalidRequest
from ollapy.lifeline import forbid_core_files
from ollapy.templating import LENGTH, MEMORY, SECONDS, Ask, Source, Told

from .go_template import GoChatTemplate
from .jinja import ChatTemplate
from .learn import learn


@lru_cache(maxsize=16)
def _compiled(source: Source) -> ChatTemplate | GoChatTemplate:
    return (GoChatTemplate if source.is_go else ChatTemplate)(source.text)


def main() -> None:
    """Answer requests one by one."""
    forbid_core_files()
    with suppress(ValueError):  # macOS takes no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # a terminal's Ctrl+C is for the daemon
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # seconds after which the alarm ends this process; 0 for never
    idle = int(sys.argv[1])
    pipe_in, pipe_out = sys.stdin.buffer, sys.stdout.buffer
    signal.alarm(idle)
    while len(head := pipe_in.read(LENGTH.size)) == LENGTH.size:
        signal.alarm(0)
        body = pipe_in.read(LENGTH.unpack(head)[0])
        answer = msgspec.msgpack.encode(_answer(body))
        pipe_out.write(LENGTH.pack(len(answer)) + answer)
        pipe_out.flush()
        signal.alarm(idle)


def _answer(body: bytes) -> Told:
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return _told(from_msgpack(body, Ask))
    except InvalidRequest as exc:
        return Told(error=str(exc))
    except MemoryError:
        gc.collect()
        return Told(error="the chat template needs more memory than it may have")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _told(ask: Ask) -> Told:
    template = _compiled(ask.source)
    if ask.variables is not None:
        return Told(text=template.render(**ask.variables))
    return Told(traits=msgspec.msgpack.encode(learn(template)))


if __name__ == "__main__":
    main()
