"""Frames: how messages go over a pipe, as msgpack behind a four-byte big-endian length."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from ollapy.decoding import msgpack_decoder

from .protocol import FromRunner, ToRunner

MAX_FRAME = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")

_encode = msgspec.msgpack.Encoder().encode


def frame(message: ToRunner | FromRunner) -> bytes:
    """The message as it goes over the pipe."""
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


class FrameError(ValueError):
    """Bytes that no peer of this protocol sends: the connection is of no further use."""


class FrameReader:
    """Cuts a byte stream into messages, wherever its pieces begin and end."""

    def __init__(self, kind: Any) -> None:
        self._decode = msgpack_decoder(kind)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that `data` completes; FrameError for one too long or malformed."""
        self._buffer += data
        start = 0
        try:
            while (end := self._frame_end(start)) is not None:
                yield self._decode(memoryview(self._buffer)[start + _LENGTH.size : end])
                start = end
        except msgspec.DecodeError as exc:
            raise FrameError(str(exc)) from exc
        finally:
            del self._buffer[:start]

    def _frame_end(self, start: int) -> int | None:
        body = start + _LENGTH.size
        if len(self._buffer) < body:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, start)
        if length > MAX_FRAME:
            raise FrameError(f"frame of {length} bytes")
        return body + length if len(self._buffer) >= body + length else None
