"""Trials: what a tuning has tried, as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ollapy.api.tuning import TuneResponse, Tuning
from ollapy.cli.table import columns

_HEADER = ("THREADS", "FOR PROMPTS", "AT ONCE", "FLASH", "READ/s", "TOKENS/s")


def trials(response: TuneResponse) -> Iterator[str]:
    """All of them, and what was chosen."""
    rows = [
        (*_cells(trial.tuning), f"{trial.read:,.0f}", f"{trial.generated:,.1f}")
        for trial in response.trials
    ]
    yield from columns([_HEADER, *rows])
    yield ""
    yield f"{response.model} is computed with {described(response.tuning)} from its next load on."


def described(tuning: Tuning) -> str:
    """In words."""
    parts = [
        f"{tuning.num_threads or 'all'} thread(s)",
        f"{tuning.num_prompt_threads or 'all'} for prompts",
    ]
    if tuning.num_ubatch:
        parts.append(f"{tuning.num_ubatch} tokens of a prompt at once")
    if tuning.flash_attention is False:
        parts.append("no flash attention where its context is short")
    return ", ".join(parts)


def _cells(tuning: Tuning) -> tuple[str, ...]:
    return (
        str(tuning.num_threads or "-"),
        str(tuning.num_prompt_threads or "-"),
        str(tuning.num_ubatch or "-"),
        "off" if tuning.flash_attention is False else "auto",
    )
