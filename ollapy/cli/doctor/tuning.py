"""Tuning: how models are computed that were measured on this machine."""

from __future__ import annotations

from collections.abc import Iterator

from ollapy.cli.bench.trials import described
from ollapy.daemon.runners.tuning import known
from ollapy.settings import Settings

from .finding import Finding


def findings(settings: Settings) -> Iterator[Finding]:
    """One of each shape of a model; those of another machine are not used."""
    found = known(settings)
    for measured in found:
        yield Finding("tuning", f"{measured.shape}: {described(measured.tuning)}")
    if not found:
        text = "nothing was measured yet, 'ollapy bench --tune MODEL' does"
        yield Finding("tuning", text)
