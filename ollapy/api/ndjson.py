"""Structs as lines of JSON that every client splits at the same places."""

from __future__ import annotations

import msgspec

_encode = msgspec.json.Encoder().encode
# httpx's line decoder, and so Ollama's Python client, also splits at U+2028, U+2029 and U+0085,
# which are legal inside a JSON string. Escaped they mean the same and split nothing.
_SEPARATORS = (
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
    (b"\xc2\x85", b"\\u0085"),
)


def encode(value: object) -> bytes:
    """One JSON value, without the newline."""
    data = _encode(value)
    for raw, escaped in _SEPARATORS:
        if raw in data:
            data = data.replace(raw, escaped)
    return data


def line(value: object) -> bytes:
    """One record of an NDJSON stream."""
    return encode(value) + b"\n"
