"""Sentences: a journal entry told in the order in which things happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ollapy.api.status import RequestEntry

from .placement import placement
from .prompt import prompt

_KINDS = {
    "chat": "a chat",
    "generate": "a completion",
    "embed": "an embedding",
    "rerank": "a ranking",
    "tokenize": "a look into the vocabulary",
    "detokenize": "a look into the vocabulary",
}
_NOTABLE = 0.02  # seconds
_MAX_NAMED = 5  # requests


def sentences(entry: RequestEntry) -> list[str]:
    """What happened to a request, as far as it has come."""
    return [
        _headline(entry),
        *_loading(entry),
        *placement(entry.placement),
        *_queue(entry),
        *prompt(entry),
        *_answer(entry),
        *_end(entry),
    ]


def seconds(nanoseconds: int) -> str:
    """A duration as one says it: `0.012 s`, `3.1 s`, `95 s`."""
    value = nanoseconds / 1e9
    return f"{value:.3f} s" if value < 1 else f"{value:.1f} s" if value < 60 else f"{value:.0f} s"  # fmt: skip


def _headline(entry: RequestEntry) -> str:
    what = _KINDS.get(entry.kind, entry.kind)
    model = f" with {entry.model}" if entry.model else ""
    verb = "has been under way for" if entry.outcome == "running" else "took"
    return f"Request {entry.id}, {what}{model}, {verb} {seconds(entry.total_duration)}."


def _loading(entry: RequestEntry) -> Iterator[str]:
    if entry.outcome == "running" and entry.model and not entry.load_duration:
        yield "It waits for the model to be loaded."
    elif entry.load_duration > _NOTABLE * 1e9:
        yield (
            f"The model was not ready: it took {seconds(entry.load_duration)} to load it, "
            "or to have others make room for it."
        )
    elif entry.load_duration:
        yield "The model was loaded already."


def _queue(entry: RequestEntry) -> Iterator[str]:
    took, others = seconds(entry.queue_duration), _named(entry.waited_for)
    if entry.wait == "prompt":
        yield f"It waited {took} for {others}, whose prompt begins the same and was read once for both."
    elif entry.wait == "room":
        yield f"It waited {took} for room beside {others}."
    elif entry.queue_duration > _NOTABLE * 1e9:
        yield f"It waited {took} for the step under way."
    if entry.preemptions:
        yield f"It gave up its place {_times(entry.preemptions)} for others, and went on later."


def _named(ids: Sequence[int]) -> str:
    if not ids:
        return "others"
    shown = [str(number) for number in ids[:_MAX_NAMED]]
    if len(ids) > _MAX_NAMED:
        return f"requests {', '.join(shown)} and {len(ids) - _MAX_NAMED} more"
    *rest, last = shown
    return f"requests {', '.join(rest)} and {last}" if rest else f"request {last}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _answer(entry: RequestEntry) -> Iterator[str]:
    if not entry.eval_count:
        if entry.first_token_duration and entry.outcome != "done":
            yield f"Its answer began after {seconds(entry.first_token_duration)}."
        return
    rate, tokens = "", entry.eval_count - 1
    if tokens and entry.eval_duration:
        rate = f" at {tokens / entry.eval_duration * 1e9:.1f} tokens/s"
    first = seconds(entry.first_token_duration)
    yield f"The first of {_tokens(entry.eval_count)} came after {first}, the others{rate}."
    if entry.thinking_tokens:
        cut = ", when its budget was spent" if entry.thinking_cut else ""
        yield f"Of these it thought {entry.thinking_tokens:,}{cut}."
    if entry.forced_tokens:
        yield f"The form it was held to left no choice about {entry.forced_tokens:,}, which were not sampled."
    if entry.beside:
        yield f"When it came, {_named(entry.beside)} {'were' if len(entry.beside) > 1 else 'was'} under way."
    if entry.parse_error:
        yield f"A call was not written as the model's format says: {entry.parse_error}."


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count:,} tokens"


def _end(entry: RequestEntry) -> Iterator[str]:
    match entry.outcome:
        case "running":
            yield "It is not over yet."
        case "stop" if entry.stop:
            yield f"It stopped at the stop string “{entry.stop}”."
        case "stop":
            yield "It stopped because the model had said all it wanted."
        case "length":
            yield _length(entry)
        case "cancelled":
            yield "It was given up, as its client had left."
        case "failed":
            yield f"It failed: {entry.error or 'its reason is in the log of the daemon'}."
        case "load" | "unload":
            yield f"It only asked for the model to be {entry.outcome}ed."
        case "done":
            pass
        case other:
            yield f"It ended with “{other}”."


def _length(entry: RequestEntry) -> str:
    context = entry.context
    if context and 0 < context.limit <= context.prompt_tokens + entry.eval_count:
        return f"It stopped because the context of {context.limit:,} tokens was full."
    return f"It stopped because it was to have {_tokens(entry.eval_count)} at most, see num_predict."
