"""Abort: ends a decode half-way, from any thread."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from .library import log, raw

_C = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)


class AbortSwitch:
    """What llama.cpp asks before each node of a graph.

    A Python callback would take the GIL thousands of times a batch; strlen of this buffer answers 0 until somebody
    writes into it. It must live as long as what it is installed in.
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)

    def install(self, context: Any) -> None:
        """Have a llama_context ask."""
        callback = ctypes.cast(_C.strlen, raw.ggml_abort_callback)
        raw.llama_set_abort_callback(context, callback, ctypes.addressof(self._text))

    def turn_on(self) -> None:
        """Give up the decode under way, of which no complaint is one."""
        log.is_aborting = True
        self._text[0] = b"\1"

    def turn_off(self) -> None:
        """Before a decode: what came too late for its own is not for this one."""
        self._text[0] = b"\0"
