"""The scenarios, each written once for all targets."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from statistics import median

from .calls import Call, Clients, ask, ask_all, wall_seconds
from .dialects import Message
from .neighbour import busy_neighbour
from .scenario import Measure, Result, Scenario, Size
from .target import Target
from .wire import Failed
from .words import Words

_INTRUDER_ANSWER = 8


def single(target: Target, words: Words, size: Size) -> Result:
    """One client alone."""
    prompt = words.text(size.prompt)
    call = ask(target, target.dialect.complete(prompt, size.answer))
    return Result.of([call], call.seconds_to_first, call.tokens_per_second)


def streams(target: Target, words: Words, size: Size, *, count: int) -> Result:
    """Many clients with short prompts of their own."""
    prompts = words.texts(count, size.stream_prompt)
    calls = _complete_all(target, prompts, size.stream_answer)
    total = sum(call.num_tokens for call in calls)
    return Result.of(calls, total / wall_seconds(calls))


def shared_prefix(target: Target, words: Words, size: Size) -> Result:
    """Clients whose long prompts differ in their last words."""
    prefix = words.text(size.prefix)
    ends = words.texts(size.clients, size.prefix_end)
    prompts = [f"{prefix} {end}" for end in ends]
    calls = _complete_all(target, prompts, size.prefix_answer)
    return Result.of(calls, wall_seconds(calls))


def intruder(target: Target, words: Words, size: Size) -> Result:
    """A long prompt comes while somebody reads an answer."""
    complete = target.dialect.complete
    prompt, long_prompt = words.text(size.prompt), words.text(size.intruder)
    with Clients(target) as clients:
        victim = clients.start(complete(prompt, size.victim_answer))
        clients.until(lambda: len(victim.arrivals) >= size.victim_lead)
        newcomer = clients.start(complete(long_prompt, _INTRUDER_ANSWER))
        clients.finish()
    gap = _longest_gap(victim, newcomer.sent_at)
    return Result.of([victim, newcomer], gap, newcomer.seconds_to_first)


def chat(target: Target, words: Words, size: Size) -> Result:
    """One conversation; each turn sends all of it, with the target's own answers."""
    messages: list[Message] = []
    calls: list[Call] = []
    for turn in range(size.turns):
        said = words.text(size.turn if turn else size.opening)
        messages.append({"role": "user", "content": said})
        calls.append(ask(target, target.dialect.chat(messages, size.turn_answer)))
        messages.append({"role": "assistant", "content": calls[-1].text})
    return Result.of(calls, median(call.seconds_to_first for call in calls[1:]))


def cancel_storm(target: Target, words: Words, size: Size) -> Result:
    """Clients with long prompts hang up while they are read; somebody else asks for little."""
    prompts = words.texts(size.storm, size.storm_prompt)
    short = target.dialect.complete(words.text(size.stream_prompt), size.stream_answer)
    with Clients(target) as clients:
        for prompt in prompts:
            clients.start(target.dialect.complete(prompt, size.answer))
        clients.read_for(size.storm_seconds)
    call = ask(target, short)
    return Result.of([call], wall_seconds([call]))


def neighbour(target: Target, words: Words, size: Size) -> Result:
    """One client alone, but not on this machine."""
    prompt = words.text(size.stream_prompt)
    with busy_neighbour():
        call = ask(target, target.dialect.complete(prompt, size.stream_answer))
    return Result.of([call], call.tokens_per_second)


def embeddings(target: Target, words: Words, size: Size) -> Result:
    """Many texts in one request, then as many in requests at once."""
    embed, share = target.dialect.embed, size.texts // size.clients
    together = ask_all(target, [embed(words.texts(size.texts, size.text))])
    apart = ask_all(
        target, [embed(words.texts(share, size.text)) for _ in range(size.clients)]
    )
    paces = (
        sum(c.num_tokens for c in cs) / wall_seconds(cs) for cs in (together, apart)
    )
    return Result.of([*together, *apart], *paces)


def _complete_all(target: Target, prompts: list[str], num_tokens: int) -> list[Call]:
    return ask_all(target, [target.dialect.complete(p, num_tokens) for p in prompts])


def _longest_gap(call: Call, since: float) -> float:
    """Between two pieces, of those that were open at that instant or later."""
    gaps = [b - a for a, b in pairwise(call.arrivals) if b > since]
    if not gaps:
        raise Failed("the answer ended before the intruder came")
    return max(gaps)


def _streams(count: int) -> Scenario:
    measure = Measure(f"{count} streams: all together", "tokens/s", 1.0)
    return Scenario(f"streams-{count}", partial(streams, count=count), (measure,))


_ALL = (
    Scenario(
        "single",
        single,
        (
            Measure("one stream: first token", "s", 0.97),
            Measure("one stream: pace", "tokens/s", 0.97),
        ),
    ),
    _streams(8),
    _streams(32),
    Scenario(
        "prefix", shared_prefix, (Measure("shared prefix: all answered", "s", 4.0),)
    ),
    Scenario(
        "intruder",
        intruder,
        (
            Measure("intruder: the other's longest gap", "s", 50.0),
            Measure("intruder: its own first token", "s"),
        ),
    ),
    Scenario("chat", chat, (Measure("chat, later turns: first token", "s", 1.0),)),
    Scenario(
        "storm", cancel_storm, (Measure("after a cancel storm: short answer", "s"),)
    ),
    Scenario(
        "neighbour", neighbour, (Measure("busy neighbour: pace", "tokens/s", 3.0),)
    ),
    Scenario(
        "embeddings",
        embeddings,
        (
            Measure("embeddings: one request", "texts/s", 1.0),
            Measure("embeddings: requests at once", "texts/s", 1.0),
        ),
        embeds=True,
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
