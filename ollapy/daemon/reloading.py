"""Reloading: the settings file is read anew when it has changed, by a daemon that goes on running."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from starlette.datastructures import State

from ollapy.settings import Settings

logger = logging.getLogger(__name__)

_SECONDS = 0.5


async def reload(state: State) -> None:
    """Until it is cancelled. Files are looked at, as watching them takes a library for every system."""
    file = state.settings.file.path
    seen = await asyncio.to_thread(_stamp, file)
    while file is not None:
        await asyncio.sleep(_SECONDS)
        now = await asyncio.to_thread(_stamp, file)
        if now != seen:
            seen = now
            _apply(state, await asyncio.to_thread(Settings.from_env))


def _apply(state: State, fresh: Settings) -> None:
    """Use what can be used at once; a file that cannot be read changes nothing."""
    for warning in fresh.warnings:
        logger.warning("%s", warning)
    if fresh.file.problem:
        return
    settings, waiting = state.settings.reloaded(fresh)
    state.settings = state.pool.settings = settings
    logger.info("settings read anew file=%s", fresh.file.path)
    if waiting:
        logger.warning("to be used after a restart: %s", ", ".join(waiting))


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    """What differs when the file was written to or replaced; None where there is none."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return found and (found.st_mtime_ns, found.st_size, found.st_ino)
