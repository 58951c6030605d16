"""Halves of surrogate pairs in JSON: JavaScript sends them where it has cut a text in the middle of an emoji. Pure."""

from __future__ import annotations

import re

_UNIT = rb"\\u[dD][%s][0-9a-fA-F]{2}"
_HIGH, _LOW = _UNIT % b"89abAB", _UNIT % b"c-fC-F"
# an escaped backslash and a whole pair are taken first, so that what is left are halves
_ESCAPES = re.compile(rb"\\\\|%s%s|%s|%s" % (_HIGH, _LOW, _HIGH, _LOW))
_LENGTH = len(rb"\ud800")


def mended(body: bytes) -> bytes:
    """The body with U+FFFD in place of each half, as Go reads it and browsers show it."""
    if rb"\ud" not in body and rb"\uD" not in body:
        return body
    return _ESCAPES.sub(_whole, body)


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if len(escape[0]) == _LENGTH else escape[0]
