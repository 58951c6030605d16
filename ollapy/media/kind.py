"""Kind: what a file of a picture or sound is, by its first bytes."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The values are the names that people know."""

    PNG = "PNG"
    JPEG = "JPEG"
    GIF = "GIF"
    BMP = "BMP"
    WEBP = "WebP"
    WAV = "WAV"
    MP3 = "MP3"
    FLAC = "FLAC"

    @property
    def is_sound(self) -> bool:
        """Whether it is heard and not seen."""
        return self in (Kind.WAV, Kind.MP3, Kind.FLAC)

    @classmethod
    def of(cls, data: bytes) -> Kind | None:
        """The kind of a file; None for those that no model is given."""
        if data[:4] == b"RIFF":
            return {b"WEBP": cls.WEBP, b"WAVE": cls.WAV}.get(data[8:12])
        if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
            return cls.MP3  # a frame; JPEG's second byte has a bit less
        found = (kind for start, kind in _STARTS.items() if data.startswith(start))
        return next(found, None)


_STARTS = {
    b"\x89PNG\r\n\x1a\n": Kind.PNG,
    b"\xff\xd8\xff": Kind.JPEG,
    b"GIF87a": Kind.GIF,
    b"GIF89a": Kind.GIF,
    b"BM": Kind.BMP,
    b"ID3": Kind.MP3,
    b"fLaC": Kind.FLAC,
}
