"""Server-sent events, as the OpenAI and Anthropic APIs stream their answers."""

from __future__ import annotations

import msgspec

from . import ndjson

MEDIA_TYPE = "text/event-stream"
BEAT = b": still at it\n\n"  # a comment, which every client skips
DONE = b"data: [DONE]\n\n"  # how an OpenAI stream says that it is whole


def event(data: object, name: str = "") -> bytes:
    """One event with its data as JSON, and with a name where its API gives it one."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + ndjson.encode(data) + b"\n\n"


def tagged(data: msgspec.Struct) -> bytes:
    """One event under the name that is its type's tag."""
    return event(data, str(data.__struct_config__.tag))
