"""Figures: what an answer took, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ollapy.units import format_duration

if TYPE_CHECKING:
    from ollapy.api.ollama import InferenceResponse


def statistics(final: InferenceResponse) -> str:
    """The figures of `--verbose`, one a line, those that are zero left out."""
    rows = (
        ("total duration:", _duration(final.total_duration)),
        ("load duration:", _duration(final.load_duration)),
        ("prompt eval count:", _count(final.prompt_eval_count)),
        ("prompt eval duration:", _duration(final.prompt_eval_duration)),
        (
            "prompt eval rate:",
            rate(final.prompt_eval_count, final.prompt_eval_duration),
        ),
        ("eval count:", _count(final.eval_count)),
        ("eval duration:", _duration(final.eval_duration)),
        ("eval rate:", rate(final.eval_count, final.eval_duration)),
    )
    return "\n".join(f"{label:<22}{value}" for label, value in rows if value)


def _duration(nanoseconds: int) -> str:
    return format_duration(nanoseconds) if nanoseconds else ""


def _count(tokens: int) -> str:
    return f"{tokens} token(s)" if tokens else ""


def rate(tokens: int, nanoseconds: int) -> str:
    """Tokens a second, in words; empty where there is nothing to divide."""
    if not tokens or not nanoseconds:
        return ""
    return f"{tokens / nanoseconds * 1e9:.2f} tokens/s"
