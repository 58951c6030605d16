"""Every kind of memory that a model can have: what was computed once is used again, and changes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ollapy.engine.engine import Engine
from ollapy.engine.sequence import FinishReason, Sequence
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model, open_model
from scripts.make_gguf import (
    write_encoder_decoder,
    write_hybrid,
    write_qwen2,
    write_random,
    write_recurrent,
    write_sliding,
)
from tests.support.engines import Story, agree, step_interrupted, tell, told

KINDS: dict[str, Callable[[Path], None]] = {
    "attention": write_random,
    "biased": write_qwen2,
    "sliding": write_sliding,
    "hybrid": write_hybrid,
    "recurrent": write_recurrent,
}
REWINDS = ("attention", "biased")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a kind of model."""
    return str(request.param)


@pytest.fixture(scope="module")
def model(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """A small random model of the kind."""
    path = tmp_path_factory.mktemp(kind) / "model.gguf"
    KINDS[kind](path)
    with open_model([path], on_progress=lambda _: None) as model:
        yield model


@pytest.fixture(scope="module")
def context(model: Model) -> Iterator[Context]:
    """A pool of a few sequences."""
    with open_context(
        model, num_cells=2048, max_sequences=6, num_batch=128, num_threads=1
    ) as context:
        yield context


@pytest.fixture
def engine(model: Model, context: Context) -> Iterator[Engine]:
    """An engine with an empty memory."""
    context.clear()
    engine = Engine(model, context)
    yield engine
    engine.close()


@pytest.fixture
def alone(model: Model, context: Context) -> Callable[[list[int]], Story]:
    """What a prompt leads to in an empty memory."""

    def compute(prompt: list[int]) -> Story:
        context.clear()
        story = told(Engine(model, context), tell(prompt))
        context.clear()
        return story

    return compute


def words(seed: int, count: int) -> list[int]:
    """A text of random tokens, none of them a control token."""
    rng = random.Random(seed)
    return [rng.randrange(3, 400) for _ in range(count)]


def test_it_can_or_cannot_be_cut_back(kind: str, context: Context) -> None:
    assert context.can_rewind == (kind in REWINDS)


def test_the_next_turn_goes_on_from_the_last(
    engine: Engine, alone: Callable[[list[int]], Story]
) -> None:
    first = tell(words(1, 300))
    prompt = words(1, 300)
    follow = words(2, 40)
    answered = alone(prompt)
    expected = alone([*prompt, *answered.tokens, *follow])
    context_tokens = [*prompt, *answered.tokens, *follow]

    told(engine, first)
    second = tell(context_tokens)
    assert agree(expected, told(engine, second))
    assert second.num_cached == len(first.tokens) - 1


def test_the_same_prompt_again_reads_its_end_alone(
    engine: Engine, alone: Callable[[list[int]], Story]
) -> None:
    prompt = words(3, 300)
    expected = alone(prompt)
    told(engine, tell(prompt))
    again = tell(prompt)

    assert agree(expected, told(engine, again))
    assert again.num_cached is not None
    assert again.num_cached >= 300 - 8


def test_a_prefix_that_two_had_in_common_is_there_for_the_third(
    engine: Engine, alone: Callable[[list[int]], Story]
) -> None:
    stem = words(4, 200)
    ends = [words(seed, 60) for seed in (5, 6, 7)]
    expected = [alone([*stem, *end]) for end in ends]
    several = [tell([*stem, *end]) for end in ends]

    for one, story in zip(several, expected, strict=True):
        assert agree(story, told(engine, one))
    assert several[2].num_cached == 200


def test_a_prefix_that_arrives_with_many_is_read_once(
    engine: Engine, alone: Callable[[list[int]], Story]
) -> None:
    stem = words(8, 300)
    prompts = [[*stem, *words(seed, 30)] for seed in (9, 10, 11, 12)]
    expected = [alone(prompt) for prompt in prompts]
    many = [tell(prompt) for prompt in prompts]

    for story, got in zip(expected, told_together(engine, many), strict=True):
        assert agree(story, got)
    assert [one.num_cached for one in many] == [0, 300, 300, 300]


def test_a_branch_of_a_running_sequence_does_not_disturb_it(
    engine: Engine, alone: Callable[[list[int]], Story]
) -> None:
    stem = words(13, 200)
    long, short = [*stem, *words(14, 150)], [*stem, *words(15, 20)]
    expected = [alone(long), alone(short)]
    first, second = tell(long), tell(short)
    engine.add(first)
    while not first.num_generated:
        engine.step()
    got = told_together(engine, [first, second], added=1)

    # what the first had said before the second came was not recorded
    assert agree(Story(expected[0].logprobs[1:]), got[0])
    assert agree(expected[1], got[1])


def test_a_prompt_that_is_given_up_half_way_leaves_a_memory_that_works(
    engine: Engine, alone: Callable[[list[int]], Story]
) -> None:
    prompt = words(16, 400)
    expected = alone(prompt)
    first = tell(prompt)
    engine.add(first)
    step_interrupted(engine, first)
    engine.cancel(first.id)
    engine.check()

    assert agree(expected, told(engine, tell(prompt)))


def test_a_context_that_is_full_shifts_where_that_is_wanted(engine: Engine) -> None:
    one = tell(words(17, 50), limit=90, max_tokens=120)
    one.num_keep = 4
    prompt = list(one.tokens)
    said = told(engine, one)

    assert len(said.logprobs) in range(1, 121)
    if one.finish_reason is FinishReason.LENGTH:
        assert len(said.logprobs) == 120
        assert one.num_shifted > 0
    assert one.tokens[:4] == prompt[:4]
    assert len(one.tokens) <= 90


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 6))]
)
def test_a_storm_changes_no_answer(
    engine: Engine, alone: Callable[[list[int]], Story], seed: int
) -> None:
    """Shared and unshared prompts that join and leave at random, in a memory too small for all of them."""
    rng = random.Random(seed)
    stems = [words(100 + n, rng.randint(30, 250)) for n in range(3)]
    prompts = [
        [*rng.choice(stems), *words(200 + n, rng.randint(1, 150))] for n in range(24)
    ]
    expected = {n: alone(prompt) for n, prompt in enumerate(prompts)}
    stories: dict[int, Story] = {}
    waiting = [tell(prompt) for prompt in prompts]
    sequences = {one.id: n for n, one in enumerate(waiting)}
    left: set[int] = set()
    alive: list[Sequence] = []
    while waiting or engine.has_work:
        while waiting and rng.random() < 0.3:
            alive.append(waiting.pop())
            engine.add(alive[-1])
        if alive and rng.random() < 0.02:
            gone = alive.pop(rng.randrange(len(alive)))
            left.add(sequences[gone.id])
            engine.cancel(gone.id)
        for output in engine.step() if engine.has_work else []:
            assert output.error is None
            story = stories.setdefault(sequences[output.sequence.id], Story([]))
            story.logprobs += [output.logprob] if output.logprob else []
            if output.is_last and output.sequence in alive:
                alive.remove(output.sequence)
        engine.check()

    for n, story in expected.items():
        if n not in left:
            assert agree(story, stories[n]), f"request {n}"


def told_together(
    engine: Engine, sequences: list[Sequence], *, added: int = 0
) -> list[Story]:
    """What each of several says; the first `added` are in the engine already."""
    stories = {one.id: Story([]) for one in sequences}
    for one in sequences[added:]:
        engine.add(one)
    while engine.has_work:
        for output in engine.step():
            assert output.error is None
            if output.logprob:
                stories[output.sequence.id].logprobs.append(output.logprob)
        engine.check()
    return list(stories.values())


def test_a_decoder_answers_what_its_encoder_read(tmp_path: Path) -> None:
    """Two texts give two answers, the same each time, alone and one after the other."""
    write_encoder_decoder(path := tmp_path / "t5.gguf")
    with (
        open_model([path], on_progress=lambda _: None) as model,
        open_context(
            model, num_cells=512, max_sequences=1, num_batch=512, num_threads=1
        ) as context,
    ):
        assert model.has_encoder

        def ask(text: str) -> Sequence:
            read = model.vocabulary.tokenize(text, special=False)
            return tell(
                [model.vocabulary.decoder_start], encoder_tokens=read, limit=256
            )

        first = told(Engine(model, context), ask("a b c d e f"))
        context.clear()
        engine = Engine(model, context)
        both = told_together(engine, [ask("a b c d e f"), ask("z y x w v u t")])
        assert agree(first, both[0])
        assert [one.bytes for one in both[0].logprobs] != [
            one.bytes for one in both[1].logprobs
        ]
