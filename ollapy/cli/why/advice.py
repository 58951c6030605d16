"""Advice: what would make a request like this one faster, the most first."""

from __future__ import annotations

from ollapy.api.status import RequestEntry

# What something must have taken to be worth a word: of its time, and in nanoseconds.
_SHARE, _LEAST = 0.15, 1e8
_SMALL = 64  # tokens that are read in no time
_FEW = 0.9  # of a prompt: what parts later leaves little to gain


def faster(entry: RequestEntry) -> list[str]:
    """Sentences, none where nothing stands out."""
    spent = {
        _load: entry.load_duration,
        _queue: entry.queue_duration,
        _read: entry.prompt_eval_duration,
        _write: entry.eval_duration,
    }
    least = max(_SHARE * entry.total_duration, _LEAST)
    notable = [tell for tell, took in spent.items() if took >= least]
    notable.sort(key=lambda tell: spent[tell], reverse=True)
    return [advice for tell in notable for advice in tell(entry)]


def _load(entry: RequestEntry) -> list[str]:
    share = _percent(entry.load_duration, entry)
    return [
        f"Keep the model in memory, which spares {share}: keep_alive in the request, or OLLAPY_KEEP_ALIVE for all."
    ]


def _queue(entry: RequestEntry) -> list[str]:
    if entry.wait != "room":
        return []
    return [
        "Let fewer requests run at once, or give those that can wait the priority “background”: "
        f"{_percent(entry.queue_duration, entry)} was waiting for room."
    ]


def _read(entry: RequestEntry) -> list[str]:
    context, share = entry.context, _percent(entry.prompt_eval_duration, entry)
    if context is None or context.prompt_tokens - context.cached_tokens <= _SMALL:
        return []
    if context.refused_tokens:
        return [
            "Free some memory, or unload other models: there was none for the context that was asked for."
        ]
    if context.dropped_messages:
        return [
            f"Give it a longer context with num_ctx: what is left out at the beginning changes all that follows, "
            f"and reading that took {share}."
        ]
    parting = context.divergence
    if parting and parting.token < _FEW * context.prompt_tokens:
        return [
            f"Put what changes from request to request at the end of the prompt: from token {parting.token:,} on "
            f"nothing could be reused, and reading took {share}."
        ]
    return [f"Reading the prompt took {share}: what begins the same will be read faster while the model is loaded."]  # fmt: skip


def _write(entry: RequestEntry) -> list[str]:
    found = []
    if entry.thinking_tokens * 2 > entry.eval_count:
        found.append(
            "Have it think less, with think off or a number of tokens: "
            f"{entry.thinking_tokens:,} of {entry.eval_count:,} tokens were thought."
        )
    if entry.beside:
        found.append("Ask when less is under way: steps are shared with others.")
    place = entry.placement
    if place and place.size and not place.size_vram:
        found.append(
            "Use a smaller model or quantisation, or an accelerator: each token reads the weights from main memory."
        )
    elif place and 0 < place.size_vram < place.size:
        found.append("Use a smaller quantisation or context, so that all of it fits on the accelerator.")  # fmt: skip
    return found


def _percent(took: int, entry: RequestEntry) -> str:
    return f"{100 * took / max(entry.total_duration, 1):.0f}% of its time"
