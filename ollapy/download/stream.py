"""Stream: one connection's answer, checked against what was asked before a byte of it is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ollapy.errors import NotOnRemote, RemoteError, Unauthorized
from ollapy.names import Digest
from ollapy.net.failures import ConnectionFailed, Refused, shown
from ollapy.net.http import Http, Response
from ollapy.net.line import Line

from .plan import Source

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_EXPIRED = (403, 410)


class RangeIgnored(ConnectionFailed):
    """The whole came where a part was asked for."""


@contextmanager
def opened(
    http: Http,
    source: Source,
    digest: Digest,
    span: tuple[int, int],
    size: int,
    line: Line,
) -> Iterator[tuple[Response, int]]:
    """The answer, and the offset at which its body begins: that of the span, or 0 for the whole."""
    start, end = span
    asked = {"Range": f"bytes={start}-{end - 1}"} if end - start < size else {}
    challenge = None
    while True:
        headers = {**asked, **source.headers(challenge)}
        with http.open("GET", source.url, headers=headers, line=line) as response:
            given = response.headers.get("www-authenticate")
            if response.status == 401 and challenge is None and given is not None:
                challenge = given
                continue
            yield response, _begin(response, source, digest, span, size)
            return


def _begin(
    response: Response, source: Source, digest: Digest, span: tuple[int, int], size: int
) -> int:
    start, end = span
    length = response.headers.get("content-length")
    if response.status == 206:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if not found or tuple(map(int, found.groups())) != (start, end - 1, size):
            raise RemoteError(f"blob {digest} came in a part that was not asked for")
        _check_length(digest, length, end - start)
        return start
    if response.status == 200:
        _check_length(digest, length, size)
        return 0
    raise _refusal(response, source, digest)


def _check_length(digest: Digest, length: str | None, expected: int) -> None:
    if length is not None and length != str(expected):
        raise RemoteError(
            f"blob {digest} has another size than its manifest says, pull again later"
        )


def _refusal(response: Response, source: Source, digest: Digest) -> RemoteError:
    status, text = response.status, shown(response.read(4096))
    if status in _EXPIRED and response.url != source.url:
        return ConnectionFailed(f"the address of blob {digest} has expired: {status}")
    if status in (401, 403):
        return Unauthorized(source.denied)
    if status == 404:
        return NotOnRemote(
            f"blob {digest} is not on the server, although its manifest names it"
        )
    again = response.headers.get("retry-after")
    return Refused(
        f"blob {digest}: the server answered {status}: {text}", status, again
    )
