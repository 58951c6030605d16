"""Many requests that join, share, leave, overflow and push each other out: each is answered as if alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ollapy.api.adapters import Adapter, AdapterSet
from ollapy.engine.engine import Engine
from ollapy.engine.sequence import FinishReason, Sequence
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model
from scripts.make_gguf import write_lora
from tests.conftest import TINY
from tests.support.engines import Story, agree, tell, told

_SYSTEMS = (
    "",
    "You are a pirate.",
    "Answer briefly and politely, and never mention the weather unless asked. " * 6,
)
_QUESTIONS = (
    "What is the capital of Japan?",
    "What is the capital of France?",
    "What is 3 + 4?",
    "Draw a llama.",
    "Tell me a joke.",
    "Count from 1 to 9.",
    "Repeat after me: apple river stone",
    "Write a short story about a dog.",
)


@pytest.fixture(scope="module")
def crowded(model: Model) -> Iterator[Context]:
    """A pool that holds a few of the requests, and more of them than it has slots."""
    with open_context(
        model, num_cells=512, max_sequences=12, num_batch=64, num_threads=1
    ) as context:
        yield context


class Asked(NamedTuple):
    """A conversation in the tiny model's template, how long it may become, and what is to act on it."""

    tokens: list[int]
    limit: int
    adapters: AdapterSet

    @property
    def sequence(self) -> Sequence:
        return tell(
            self.tokens, limit=self.limit, max_tokens=60, adapters=self.adapters
        )


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[AdapterSet]:
    folder = tmp_path_factory.mktemp("loras")
    loras = (
        write_lora(folder / f"{seed}.gguf", TINY, strength=0.1, seed=seed)
        for seed in (1, 2)
    )
    return [(), *((Adapter(path.name, str(path), 1),) for path in loras)]


def prompt(model: Model, rng: random.Random, sets: list[AdapterSet]) -> Asked:
    system, question = rng.choice(_SYSTEMS), rng.choice(_QUESTIONS)
    text = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    text += f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
    if rng.random() < 0.5:
        text += "<think>\n\n</think>\n\n"
    tokens = model.vocabulary.tokenize(text, special=True)
    limit = len(tokens) + rng.choice([1, 5, 300])
    return Asked(tokens, limit, rng.choice(sets))


@pytest.mark.parametrize("num_sets", [1, 3])
@pytest.mark.parametrize(
    ("seed", "num_requests"),
    [(0, 70), *(pytest.param(n, 300, marks=pytest.mark.slow) for n in range(1, 5))],
)
def test_a_storm(
    model: Model,
    crowded: Context,
    sets: list[AdapterSet],
    seed: int,
    num_sets: int,
    num_requests: int,
) -> None:
    rng = random.Random(seed)
    asked = [prompt(model, rng, sets[:num_sets]) for _ in range(num_requests)]
    expected = _alone(model, crowded, asked)
    engine = Engine(model, crowded)
    numbers: dict[int, int] = {}
    heard = [Story([]) for _ in asked]
    alive: dict[int, Sequence] = {}
    cancelled: set[int] = set()
    todo = list(range(num_requests))
    while todo or engine.has_work:
        while todo and rng.random() < 0.8:
            number = todo.pop()
            one = asked[number].sequence
            one.is_background = rng.random() < 0.2
            numbers[one.id], alive[one.id] = number, one
            engine.add(one)
        if alive and rng.random() < 0.01:
            gone = rng.choice(list(alive))
            cancelled.add(numbers[gone])
            engine.interrupt(gone)
            engine.cancel(alive.pop(gone).id)
        for output in engine.step():
            assert output.error is None
            heard[numbers[output.sequence.id]].logprobs += (
                [output.logprob] if output.logprob else []
            )
            if output.is_last:
                del alive[output.sequence.id]
                assert output.sequence.finish_reason in FinishReason
        engine.check()

    for number, (story, got) in enumerate(zip(expected, heard, strict=True)):
        assert number in cancelled or agree(story, got), f"request {number}"
    assert engine.stats["preemptions"] > 0, "the pool was too small for all"
    assert engine.counters.switches >= num_sets - 1
    assert cancelled


def _alone(model: Model, context: Context, asked: list[Asked]) -> list[Story]:
    """What each request is answered when it is the only one, in an empty memory."""
    known: dict[tuple[object, ...], Story] = {}
    for one in asked:
        key = (*one.tokens, one.limit, one.adapters)
        if key not in known:
            context.clear()
            known[key] = told(Engine(model, context), one.sequence)
    context.clear()
    return [known[*one.tokens, one.limit, one.adapters] for one in asked]
