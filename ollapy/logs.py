"""The only place that adds a log handler: one line a record on stderr, with nothing forged in it."""

from __future__ import annotations

import logging
import sys

from ollapy.text import clean

_MAX_LINE = 8192


class LineFormatter(logging.Formatter):
    """One line a record, whatever is in it; only a traceback of our own has more."""

    def format(self, record: logging.LogRecord) -> str:
        line = (
            clean(super().format(record))
            if not record.exc_info
            else super().format(record)
        )
        return line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]} …"


def configure(*, debug: bool = False) -> None:
    """Send every log record of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.INFO, handlers=[handler], force=True
    )
    for name in ("httpcore", "httpx", "asyncio", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # what it warns of is that a client's form is none, which the client is told
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
