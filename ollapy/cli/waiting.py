"""Waits: what an answer waits for, as the daemon says it."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

from ollapy.api.ollama import Progress
from ollapy.errors import OllapyError

from .steps import Step

if TYPE_CHECKING:
    from ollapy.api.status import RequestEntry
    from ollapy.client import Client

_PAUSE = 0.25  # seconds between two questions


class Waits:
    """Asks from a thread of its own, as the daemon's answer may take a while, for which nobody waits.

    `step` is what the last question of the client waits for, None where that is not known.
    """

    def __init__(self, client: Client) -> None:
        self.step: Step | None = None
        self._client = client

    def watch(self, stopped: Event) -> None:
        """Ask until it is over."""
        Thread(target=self._ask, args=(stopped,), daemon=True).start()

    def _ask(self, stopped: Event) -> None:
        with self._client.beside() as client, suppress(OllapyError):
            while not stopped.wait(_PAUSE):
                self.step = following(self.step, client.under_way(), time.monotonic())


def following(step: Step | None, entry: RequestEntry | None, now: float) -> Step | None:
    """The step that an entry tells of: the one before it where that goes on."""
    record = told(entry) if entry else None
    if record is None:
        return None
    if step and (step.text, step.total) == (record.status, record.total):
        step.advance(record.completed, now)
        return step
    return Step(record, now)


def told(entry: RequestEntry) -> Progress | None:
    """What a request waits for."""
    if entry.ahead is not None:
        before = f"{entry.ahead} before you" if entry.ahead else "you are next"
        return Progress(f"waiting for a place: {before}")
    if entry.loading is None:
        is_reading = entry.load_duration and not entry.first_token_duration
        return Progress("reading the prompt") if is_reading else None
    state, name = entry.loading, entry.loading.name.removesuffix(":latest")
    if state.status == "waiting":
        return Progress(f"waiting for memory for {name}")
    said = f": {state.said}" if state.said else ""
    return Progress(f"{state.status} {name}{said}", "", state.total, state.completed)
