"""The machine: Python, settings, memory, disk."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import psutil

from ollapy import __version__
from ollapy.daemon.runners import memory
from ollapy.settings import Settings
from ollapy.units import format_bytes

from .finding import Finding

_LITTLE_MEMORY = 2_000_000_000
_LITTLE_DISK = 10_000_000_000


def findings(settings: Settings) -> Iterator[Finding]:
    """What was found."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Finding("ollapy", __version__)
    yield Finding("python", f"{platform.python_version()}, {system}")
    for warning in settings.warnings:
        yield Finding("settings", warning, "correct it, see `ollapy config show`")
    yield memory_finding(memory.available(), memory.total())
    yield from _disk(settings.models)


def memory_finding(free: int, total: int) -> Finding:
    """Of bytes."""
    text = f"{format_bytes(free)} free of {format_bytes(total)}"
    little = free < _LITTLE_MEMORY
    return Finding(
        "memory", text, "end other programs, or run a small model" if little else ""
    )


def _disk(models: Path) -> Iterator[Finding]:
    """Of the folder, or while there is none of where it will be."""
    folder = next(path for path in (models, *models.parents) if path.exists())
    yield disk_finding(models, psutil.disk_usage(str(folder)).free)
    if not os.access(folder, os.W_OK):
        yield Finding(
            "disk",
            f"{folder} is not yours to write to",
            "change its owner, or set OLLAPY_MODELS to another folder",
        )


def disk_finding(models: Path, free: int) -> Finding:
    """Of the bytes that are free where the models are."""
    cure = "'ollapy prune' and 'ollapy rm' make room, 'ollapy du' shows what takes it"
    little = free < _LITTLE_DISK
    return Finding("disk", f"{format_bytes(free)} free at {models}", cure if little else "")  # fmt: skip
