"""HTTP as this client needs it: one request in, one response whose framing is taken off as it arrives."""

from __future__ import annotations

import json
from typing import Any

_END_OF_HEAD = b"\r\n\r\n"


class Failed(RuntimeError):
    """A server did not do what a scenario asks of it; the sentence goes into the table."""


def post(path: str, body: dict[str, Any]) -> bytes:
    """A request with a JSON body whose answer ends the connection."""
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Response:
    """What has arrived of a response; `status` is 0 until its head has.

    `is_complete` is what the framing says: a body that only the connection ends never is.
    """

    def __init__(self) -> None:
        self.status = 0
        self.is_complete = False
        self._raw = bytearray()
        self._is_chunked = False
        self._num_missing: int | None = None

    def feed(self, data: bytes) -> bytes:
        """The body's bytes among these."""
        self._raw += data
        if not self.status and not self._read_head():
            return b""
        return self._chunks() if self._is_chunked else self._rest()

    def _read_head(self) -> bool:
        head, gap, rest = self._raw.partition(_END_OF_HEAD)
        if not gap:
            return False
        status, *lines = head.decode("latin-1").split("\r\n")
        named = (line.partition(":") for line in lines)
        fields = {name.lower(): value.strip().lower() for name, _, value in named}
        self.status = int(status.split()[1])
        self._is_chunked = fields.get("transfer-encoding") == "chunked"
        if "content-length" in fields:
            self._num_missing = int(fields["content-length"])
        self._raw = rest
        return True

    def _rest(self) -> bytes:
        body, self._raw = bytes(self._raw), bytearray()
        if self._num_missing is not None:
            self._num_missing -= len(body)
            self.is_complete = self._num_missing <= 0
        return body

    def _chunks(self) -> bytes:
        """The whole chunks; one that has not ended waits."""
        body = bytearray()
        while not self.is_complete:
            line, gap, rest = self._raw.partition(b"\r\n")
            size = int(line.partition(b";")[0], 16) if gap else 0
            if not gap or len(rest) < size + 2:
                break
            body += rest[:size]
            self._raw = rest[size + 2 :]
            self.is_complete = not size
        return bytes(body)
