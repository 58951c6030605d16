from __future__ import annotations

import io
import logging

from ollapy import logs
from ollapy.text import clean


def test_what_drives_a_terminal_is_shown_instead() -> None:
    assert (
        clean("\x1b]52;c;x\x07\x1b[2J\r\u202eevil\x9b")
        == r"\x1b]52;c;x\x07\x1b[2J\r\u202eevil\x9b"
    )
    assert clean("line\n\ttab 🦙 é", keep="\n\t") == "line\n\ttab 🦙 é"


def test_no_line_of_the_log_can_be_forged() -> None:
    """B239"""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.LineFormatter("%(message)s"))
    handler.emit(
        logging.makeLogRecord({"msg": "name=%s", "args": ("a\n2026 INFO forged",)})
    )
    handler.emit(logging.makeLogRecord({"msg": "x" * 10_000}))

    first, second = stream.getvalue().splitlines()
    assert first == r"name=a\n2026 INFO forged"
    assert len(second) < 8_300
