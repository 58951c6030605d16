"""Content codings of request bodies: gzip and zstd, never decoded beyond what is wanted."""

from __future__ import annotations

import io
import zlib
from http import HTTPStatus

import zstandard

from ollapy.errors import InvalidRequest, OllapyError

_GZIP = 16 + zlib.MAX_WBITS
_MAX_WINDOW = 8 * 1024 * 1024  # bytes that a decoder may remember, as in Ollama


class UnknownCoding(OllapyError):
    """A coding that is not decoded here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def check(encoding: str) -> None:
    """UnknownCoding where a Content-Encoding header names one."""
    if encoding.lower() not in ("", "identity", "gzip", "zstd"):
        raise UnknownCoding(
            f"Content-Encoding '{encoding[:40]}' is not supported: gzip, zstd and none are"
        )


def decode(body: bytes, encoding: str, most: int) -> bytes:
    """At most so many bytes of what the body is; InvalidRequest where it is not in its coding."""
    match encoding.lower():
        case "gzip":
            return _gunzip(body, most)
        case "zstd":
            return _unzstd(body, most)
    return body


def _gunzip(body: bytes, most: int) -> bytes:
    decoder = zlib.decompressobj(_GZIP)
    try:
        plain = decoder.decompress(body, most)
    except zlib.error:
        raise InvalidRequest("the request body is no gzip") from None
    if len(plain) < most and (not decoder.eof or decoder.unused_data):
        raise InvalidRequest("the request body is no whole gzip")
    return plain


def _unzstd(body: bytes, most: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    try:
        with decoder.stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
            return reader.read(most)
    except zstandard.ZstdError:
        raise InvalidRequest("the request body is no zstd") from None
