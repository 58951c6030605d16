"""Metadata: what a loaded file says of itself, by key."""

from __future__ import annotations

import ctypes
from typing import Any

from .library import raw


def metadata(model: Any, key: str) -> str | None:
    """A scalar as text; None where absent, and for arrays. `model` is llama.cpp's handle."""
    size = raw.llama_model_meta_val_str(model, key.encode(), None, 0)
    if size < 0:
        return None
    buffer = ctypes.create_string_buffer(size + 1)
    raw.llama_model_meta_val_str(model, key.encode(), buffer, size + 1)
    return buffer.value.decode("utf-8", "replace")
