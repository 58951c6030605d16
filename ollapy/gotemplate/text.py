"""Go's strings are bytes: lengths and indexes count them, and one may end inside of a character.

A byte that is no part of a character stands in a Python string as its surrogate (PEP 383), and is put
together with its neighbours again where the text leaves the template.
"""

from __future__ import annotations


def encoded(text: str) -> bytes:
    """The bytes of a string; half a surrogate pair, which is no character, becomes a replacement."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return (
            text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        )


def decoded(data: bytes) -> str:
    """The string of some bytes."""
    return data.decode(errors="surrogateescape")


def length(text: str) -> int:
    """How many bytes a string has."""
    return len(text) if text.isascii() else len(encoded(text))


def whole(text: str) -> str:
    """The text with bytes that were apart joined to characters, and the rest of them replaced."""
    if text.isascii():
        return text
    return encoded(text).decode(errors="replace")
