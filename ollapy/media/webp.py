"""WebP: which llama.cpp does not read, made PNG by Pillow where that is installed."""

from __future__ import annotations

import io
from importlib import import_module
from importlib.util import find_spec

from ollapy.errors import InvalidRequest

CURE = 'convert it to PNG or JPEG, or install Pillow: pip install "ollapy[webp]"'


def is_readable() -> bool:
    """Whether Pillow is there."""
    return find_spec("PIL") is not None


def to_png(data: bytes) -> bytes:
    """The first picture of a WebP file as a PNG file; InvalidRequest where it is damaged."""
    image, png = import_module("PIL.Image"), io.BytesIO()
    try:
        with image.open(io.BytesIO(data), formats=["WEBP"]) as picture:
            picture.convert("RGB").save(png, "PNG", compress_level=1)
    except (OSError, ValueError, SyntaxError, EOFError) as exc:
        raise InvalidRequest("the image could not be decoded") from exc
    return png.getvalue()
