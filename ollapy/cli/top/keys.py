"""Keys: what the person presses while something else is on the screen."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Wait = Callable[[float], str]


@contextmanager
def keys() -> Iterator[Wait]:
    """What waits for a key, so many seconds at most, and says which; the terminal is left as it was."""
    try:
        import termios
        import tty
    except ImportError:  # Windows: there is Ctrl-C
        yield _sleep
        return
    if not sys.stdin.isatty():
        yield _sleep
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)  # Ctrl-C is still a signal
        yield _key
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _key(seconds: float) -> str:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if not ready:
        return ""
    pressed = os.read(sys.stdin.fileno(), 64)
    return pressed.decode(errors="replace") if pressed else "q"  # no terminal any more


def _sleep(seconds: float) -> str:
    time.sleep(seconds)
    return ""
