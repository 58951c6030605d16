"""Decoding into types, in any thread.

What msgspec knows of a Struct it finds out when the type is first used, and two threads that do so at once
crash the process (seen with 0.22). Here the first use of each type is one thread's; ruff keeps others out.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")
Decode = Callable[[Any], Any]

_lock = Lock()
_json: dict[Any, Decode] = {}
_msgpack: dict[Any, Decode] = {}


def from_json(data: bytes | str | msgspec.Raw, kind: type[T]) -> T:
    """A value of JSON; msgspec.DecodeError where it is none of the type."""
    return cast(T, json_decoder(kind)(data))


def from_msgpack(data: bytes, kind: type[T]) -> T:
    """A value of MessagePack; msgspec.DecodeError where it is none of the type."""
    return cast(T, msgpack_decoder(kind)(data))


def converted(value: Any, kind: type[T], *, lax: bool = False) -> T:
    """A value of plain lists, mappings and scalars; msgspec.ValidationError where it is none of the type.

    Where that is `lax`, numbers and booleans may be written as texts.
    """
    json_decoder(kind)  # after which msgspec knows the type
    return msgspec.convert(value, kind, strict=not lax)


def msgpack_decoder(kind: Any) -> Decode:
    """What decodes one type, for who does it often."""
    return _of(kind, _msgpack, msgspec.msgpack.Decoder)


def json_decoder(kind: Any) -> Decode:
    """What decodes one type, for who does it often."""
    return _of(kind, _json, msgspec.json.Decoder)


def _of(kind: Any, known: dict[Any, Decode], decoder: Callable[[Any], Any]) -> Decode:
    found = known.get(kind)
    if found is None:
        with _lock:
            found = known.setdefault(kind, decoder(kind).decode)
    return found
