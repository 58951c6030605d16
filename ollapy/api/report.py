"""What ollapy tells of an answer beside what other APIs do."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class DivergenceReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a prompt parted from the nearest one in memory: `token` is the first that differs, counted from 0.

    `shared` is the end of what they have in common, `prompt` and `cached` are how either goes on: a few words,
    their control characters escaped. `cached` is empty where somebody else asked it, all three where this was
    somebody else's prompt.
    """

    token: int
    shared: str = ""
    prompt: str = ""
    cached: str = ""


class ContextReport(msgspec.Struct, frozen=True):
    """What became of the prompt: its limit, what was reused, what had to be dropped to fit.

    `refused_tokens` are by how much the limit is below what was asked for, as there was no memory for more.
    `restored_tokens` of the cached ones were no longer in the model's memory, and came back from the disk.
    The tokens that a full context dropped to go on are among `dropped_tokens`. There is no `divergence` where all
    that was reused is all that there was.
    """

    limit: int
    prompt_tokens: int
    cached_tokens: int = 0
    dropped_messages: int = 0
    dropped_tokens: int = 0
    refused_tokens: int = 0
    restored_tokens: int = 0
    divergence: DivergenceReport | UnsetType = UNSET


class OllapyReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ollapy adds to the final record of every answer, under the key `ollapy`; the first one has the context alone.

    `queue_duration` is the wait for a place, `preemptions` how often it was given up for others.
    `thinking_tokens` are those of `eval_count` that were thought, and `thinking_cut` says that there were no
    more because the budget was spent. `parse_error` says that a call was not written as the model's format
    says; its text is in the content. `stop` is the stop string that ended the answer. `forced_tokens` are
    those of `eval_count` that its schema or tool left no choice about, so that they were not sampled.
    """

    context: ContextReport
    queue_duration: int = 0
    preemptions: int = 0
    thinking_tokens: int = 0
    thinking_cut: bool = False
    parse_error: str = ""
    stop: str = ""
    forced_tokens: int = 0
