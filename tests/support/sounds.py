"""Sounds made by the test."""

from __future__ import annotations

import io
import math
import struct
import wave

_RATE = 16_000


def wav(*pitches: float) -> bytes:
    """Tones of half a second each, as a WAV file."""
    samples = (
        int(20_000 * math.sin(2 * math.pi * pitch * i / _RATE))
        for pitch in pitches
        for i in range(_RATE // 2)
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(_RATE)
        writer.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()
