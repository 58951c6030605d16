"""What became of a request's prompt: what was reused, where it parted from what was in memory, what was left out."""

from __future__ import annotations

from collections.abc import Iterator

from ollapy.api.report import ContextReport, DivergenceReport
from ollapy.api.status import RequestEntry


def prompt(entry: RequestEntry) -> Iterator[str]:
    """As sentences; none where nothing is known of it."""
    context = entry.context
    if context is None:
        if entry.prompt_eval_count:
            yield f"What it had to read has {entry.prompt_eval_count:,} tokens."
        return
    limit = f", in a context of {context.limit:,}" if context.limit else ""
    yield f"Its prompt has {context.prompt_tokens:,} tokens{limit}."
    if refused := context.refused_tokens:
        yield f"There was no memory for the {context.limit + refused:,} that it asked for."
    yield from _dropped(context)
    if entry.placement and (entry.placement.host or entry.placement.engine):
        return
    yield _reused(entry, context)
    if context.restored_tokens:
        yield f"{context.restored_tokens:,} of them were brought back from the disk, as the model had left memory."
    if context.divergence:
        yield from _parted(context, context.divergence)
    elif context.cached_tokens:
        yield "There was nothing more to reuse."


def _dropped(context: ContextReport) -> Iterator[str]:
    messages, tokens = context.dropped_messages, context.dropped_tokens
    if messages:
        count = "the oldest message" if messages == 1 else f"the {messages} oldest messages"  # fmt: skip
        yield f"To fit, {count} had to be left out, {tokens:,} tokens in all."
    elif tokens:
        yield f"As the context was full, {tokens:,} early tokens of it were dropped to go on."


def _reused(entry: RequestEntry, context: ContextReport) -> str:
    cached, rest = context.cached_tokens, context.prompt_tokens - context.cached_tokens
    took = entry.prompt_eval_duration
    rate = f", at {rest / took * 1e9:,.0f} tokens/s" if took else ""
    if not cached:
        return f"None of it was in memory, so all of it was read{rate}."
    first = "The first of them was" if cached == 1 else f"The first {cached:,} of them were"  # fmt: skip
    return f"{first} in memory from earlier requests, {rest:,} were read{rate}."


def _parted(context: ContextReport, parting: DivergenceReport) -> Iterator[str]:
    behind = f", behind “{parting.shared}”," if parting.shared else ""
    begin = f"At token {parting.token:,}{behind} it "
    if parting.prompt and parting.cached:
        yield f"{begin}goes on with “{parting.prompt}”, where the nearest prompt in memory has “{parting.cached}”."
    elif parting.prompt:
        yield f"{begin}goes on with “{parting.prompt}”, unlike the nearest prompt in memory, which is somebody else's."
    else:
        yield f"{begin}parts from the nearest prompt in memory; the words are for who asked it."
    again = parting.token - context.cached_tokens
    if again > 0:
        yield (
            f"This model can only go on from where its state was kept, so {again:,} tokens before that "
            "were read again."
        )
