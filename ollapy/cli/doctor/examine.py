"""The examination: every look at the machine, in the order they are told."""

from __future__ import annotations

from collections.abc import Iterator

from ollapy.settings import Settings

from . import engine, kv_cache, machine, service, tuning
from .finding import Finding


def examine(settings: Settings) -> Iterator[Finding]:
    """Changes nothing, starts nothing but a short-lived child, and asks nobody but this machine."""
    yield from machine.findings(settings)
    yield from kv_cache.findings(settings)
    yield from engine.findings(settings)
    yield from tuning.findings(settings)
    yield from service.findings(settings)
