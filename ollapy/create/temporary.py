"""What is made for a moment, in a folder of the system's that may have no room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ollapy.errors import StoreError

T = TypeVar("T")


def temporary(make: Callable[[], T]) -> T:
    """What `make` makes by `tempfile`; StoreError in place of its own, which names the folders that it tried."""
    try:
        return make()
    except OSError as exc:
        raise StoreError(
            "no temporary file can be made, make room for them or set TMPDIR to another folder"
        ) from exc
