"""Space: whether what is to come fits on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from ollapy.errors import StoreError
from ollapy.store.durable import make_folder, translated
from ollapy.units import format_bytes

_RESERVE = 256 << 20  # bytes of the disk, for others


def missing(data: Path, size: int) -> int:
    """Bytes of the disk that a file still takes until it has its size."""
    try:
        held = getattr(data.lstat(), "st_blocks", 0) * 512
    except FileNotFoundError:
        held = 0
    return max(size - held, 0)


def check_space(folder: Path, need: int) -> None:
    """StoreError where so much more would not fit."""
    with translated("write to the model store"):
        make_folder(folder)
        free = shutil.disk_usage(folder).free
    if need and need + min(_RESERVE, need) > free:
        raise StoreError(
            f"not enough disk space: {format_bytes(need)} are needed and {format_bytes(free)} free, "
            "remove a model or set OLLAPY_MODELS to another disk"
        )
