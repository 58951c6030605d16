"""LastWords: why a server ended, as far as its log tells. Pure."""

from __future__ import annotations

import re
from collections import deque

from ollapy.text import clean

_MAX_LINES = 200
_MAX_SHOWN = 300
# "(EngineCore pid=12) ERROR 11-26 09:00:00 [core.py:700] " and the like, once or more
_PREFIX = re.compile(
    r"(?:\s*(?:\([^()]*\)|(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\b|[0-9-]+ [0-9:.]+|\[[\w./:]+\]))+\s*"
)
_REASON = re.compile(r"(?:\b[\w.]*(?:Error|Exception)|\berror): \S")
# What only says that the reason is above, and what is more of a reason than the errors that follow from it.
_ELSEWHERE = re.compile(r"root cause above|\(above\)|Engine core initialization failed")
_ROOT = re.compile(r"died unexpectedly|out of memory|OutOfMemory")
_PATH = re.compile(r"(?<![\w:/.])~?/[^\s'\",:;)]+")


class LastWords:
    """The end of a log, a line at a time."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_MAX_LINES)

    def add(self, line: str) -> None:
        """One more line."""
        if line.strip():
            self._lines.append(line)

    @property
    def reason(self) -> str:
        """The last line that names a cause, or else an error, or else the last one; empty where there is none."""
        roots = [line for line in self._lines if _ROOT.search(line)]
        told = [line for line in self._lines if _REASON.search(line)]
        own = [line for line in told if not _ELSEWHERE.search(line)]
        kinds = (roots, own, told, self._lines)
        return plain(next((lines[-1] for lines in kinds if lines), ""))


def plain(line: str) -> str:
    """What a line of the log says, for anybody: without its time and place, and the paths of this machine."""
    prefix = _PREFIX.match(line)
    text = line[prefix.end() :] if prefix else line
    return _PATH.sub("…", clean(text).strip())[:_MAX_SHOWN]
