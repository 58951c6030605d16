"""What may be given to a decoder: by the header alone, whatever the rest is."""

from __future__ import annotations

import struct

import pytest

from ollapy.errors import InvalidRequest
from ollapy.media import Kind, check
from ollapy.media.dimensions import dimensions
from ollapy.media.duration import duration
from tests.support.pictures import bmp, gif, jpeg, png
from tests.support.sounds import wav


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [
        (png(7, 5), Kind.PNG, (7, 5)),
        (bmp(7, 5), Kind.BMP, (7, 5)),
        (gif(7, 5), Kind.GIF, (7, 5)),
        (jpeg(), Kind.JPEG, (8, 8)),
        (b"\xff\xd8\xff\xe1\0\x10Exif\xff\xc0 padding" + jpeg()[2:], Kind.JPEG, (8, 8)),
        (b"\xff\xd8\xff\xff" + jpeg()[3:], Kind.JPEG, (8, 8)),
        (b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\x06\0\0\x04\0\0", Kind.WEBP, (7, 5)),
        (b"RIFF\0\0\0\0WEBPVP8L" + bytes(5) + struct.pack("<I", 6 | 4 << 14), Kind.WEBP, (7, 5)),
    ],
)  # fmt: skip
def test_the_size_of_a_picture(data: bytes, kind: Kind, size: tuple[int, int]) -> None:
    assert Kind.of(data) is kind
    assert dimensions(data, kind) == size


@pytest.mark.parametrize("make", [png, bmp, gif, jpeg])
def test_half_a_header_has_no_size(make: object) -> None:
    assert callable(make)
    whole = make()
    kind = Kind.of(whole)
    assert kind
    for end in range(4, 18):
        found = dimensions(whole[:end], kind)
        assert found is None or end >= 10


def flac(rate: int, samples: int) -> bytes:
    """The beginning of a FLAC file of 16 bits and one channel."""
    stream = bytes(10) + struct.pack(">Q", rate << 44 | 15 << 36 | samples) + bytes(16)
    return b"fLaC\x80\0\0\x22" + stream


def test_how_long_a_sound_is() -> None:
    assert duration(wav(440, 500, 600), Kind.WAV) == 1.5
    assert duration(flac(44_100, 441_000), Kind.FLAC) == 10
    assert duration(b"\xff\xfb\x90\0" + bytes(7996), Kind.MP3) == 8


def slow() -> bytes:
    """One sample a second, which becomes thousands."""
    whole = bytearray(wav(440))
    whole[24:28] = (1).to_bytes(4, "little")
    return bytes(whole)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (slow(), "could not be decoded: its header is damaged, or of an unusual WAV"),
        (wav(440)[:30], "could not be decoded"),
        (flac(44_100, (1 << 36) - 1), "may last 1558265 s, at most 5000 are taken"),
        (flac(1, 10), "could not be decoded"),
        (b"\xff\xfb\x90\0" + bytes(32) + b"Xing\0\0\0\1\xff\xff\xff\xff", "may last"),
        (b"\xff\xd8\xff" + b"\xff\xda" * 9, "could not be decoded"),
        (jpeg() + b"\xff\xda" * 100, "has more than 64 scans"),
        (b"BM" + bytes(30), "could not be decoded"),
        (b"GIF89a" + bytes(30), "could not be decoded"),
        (b"", "is of no supported kind"),
        (b"P6 1 1 255 ...", "is of no supported kind"),
    ],
)  # fmt: skip
def test_what_a_decoder_never_sees(data: bytes, why: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check(data, "image 1")
    assert str(refused.value).startswith("image 1 ")
    assert why in str(refused.value)


def test_a_picture_of_a_million_segments_is_walked_through_once() -> None:
    segments = b"\xff\xe1\0\x02" * 1_000_000
    assert dimensions(b"\xff\xd8" + segments + jpeg()[2:], Kind.JPEG) == (8, 8)
    assert dimensions(b"\xff\xd8" + segments, Kind.JPEG) is None
