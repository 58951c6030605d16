"""State files: small JSON of what was found out about this machine. It may be lost, and nothing depends on it."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from ollapy.decoding import from_json

logger = logging.getLogger(__name__)

_MAX_BYTES = 1 << 20
T = TypeVar("T")


def read(file: Path, kind: type[T]) -> T | None:
    """What was written; None where there is nothing, or nothing of that kind: that is put aside, and told of once."""
    try:
        with file.open("rb") as data:
            return from_json(data.read(_MAX_BYTES), kind)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as exc:
        logger.warning("not readable and put aside file=%s: %s", file.name, exc)
        with suppress(OSError):
            file.replace(file.with_name(f"{file.name}.bad"))
        return None


def write(file: Path, value: object) -> None:
    """Replace the file. Where that fails, it is only not known the next time."""
    new = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(msgspec.json.encode(value))
        new.replace(file)
    except OSError as exc:
        logger.warning("not written file=%s: %s", file.name, exc)
