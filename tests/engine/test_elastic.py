"""The pool changes its size under every kind of model: what is said stays the same, and nothing is read twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ollapy.engine.engine import Engine
from ollapy.engine.sequence import FinishReason, Sequence
from ollapy.errors import LoadFailed
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model, open_model
from tests.conftest import TINY
from tests.engine.test_architectures import KINDS, words
from tests.support.engines import Story, agree, question, tell

_MOST = 8192


@pytest.fixture(scope="module", params=KINDS)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Model]:
    """A small random model of each kind."""
    path = tmp_path_factory.mktemp(request.param) / "model.gguf"
    KINDS[request.param](path)
    with open_model([path], on_progress=lambda _: None) as model:
        yield model


@contextmanager
def opened(
    model: Model, num_cells: int, *, max_cells: int = _MOST, kv_type: str = "f16"
) -> Iterator[Engine]:
    """An engine with a pool of that size."""
    with open_context(
        model,
        num_cells=num_cells,
        max_sequences=6,
        num_batch=128,
        num_threads=1,
        max_cells=max_cells,
        kv_type=kv_type,
    ) as context:
        engine = Engine(model, context, max_cells=max_cells)
        yield engine
        engine.close()


def stepped(
    engine: Engine,
    stories: dict[int, Story],
    until: Callable[[], bool] = lambda: False,
    grants: Callable[[int], int] = lambda wanted: wanted,
) -> None:
    """Step till nobody is left, or till then; each wish is answered by what it is granted."""
    while engine.has_work and not until():
        outputs = engine.step()
        if wish := engine.wish():
            outputs += engine.resize(grants(wish.num_cells))
        for output in outputs:
            assert output.error is None
            story = stories.setdefault(output.sequence.id, Story([]))
            story.logprobs += [output.logprob] if output.logprob else []
        engine.check()


def heard(engine: Engine, *sequences: Sequence) -> list[Story]:
    """What sequences say together."""
    stories = {one.id: Story([]) for one in sequences}
    for one in sequences:
        engine.add(one)
    stepped(engine, stories)
    return [stories[one.id] for one in sequences]


def test_answers_are_the_same_before_through_and_after(model: Model) -> None:
    prompts = [words(seed, 200) for seed in (1, 2)]
    prompts.append([*prompts[0][:150], *words(3, 60)])  # shares cells with the first
    with opened(model, _MOST) as engine:
        expected = heard(engine, *(tell(p, max_tokens=40) for p in prompts))

    with opened(model, 768) as engine:
        several = [tell(prompt, max_tokens=40) for prompt in prompts]
        stories = {one.id: Story([]) for one in several}
        for one in several:
            engine.add(one)
        stepped(engine, stories, lambda: several[0].num_generated > 8)
        computed = engine.counters.tokens
        engine.resize(4096)
        engine.check()
        assert engine.num_cells == 4096
        stepped(engine, stories, lambda: several[0].num_generated > 20)
        engine.resize(1024)
        stepped(engine, stories)

        assert engine.num_cells == 1536, (
            "the smallest size that holds them, by doublings"
        )
        left = sum(40 - 9 for _ in several) + sum(len(p) for p in prompts)
        assert engine.counters.tokens - computed < left, "nothing was read again"
        assert all(one.num_preemptions == 0 for one in several)
        for story, one in zip(expected, several, strict=True):
            assert agree(story, stories[one.id])
        again = tell([*several[0].tokens, *words(4, 20)])
        heard(engine, again)
        assert again.num_cached == len(several[0].tokens) - 1


def test_cells_of_eight_bits_are_carried_over_too() -> None:
    with open_model([TINY], on_progress=lambda _: None) as model:
        told = []
        for num_cells in (4096, 256):
            with opened(model, num_cells, kv_type="q8_0") as engine:
                asked = [
                    question(model, text, logprobs=2)
                    for text in ("Who are you?", "What is 37 + 48?")
                ]
                told.append(heard(engine, *asked))
                assert (engine.counters.resizes > 0) == (num_cells == 256)

    assert all(agree(*both) for both in zip(*told, strict=True))


def test_a_prompt_longer_than_the_pool_gets_a_larger_one(model: Model) -> None:
    prompt = words(5, 1500)
    with opened(model, 4096) as engine:
        (expected,) = heard(engine, tell(prompt, limit=2000))
    with opened(model, 512) as engine:
        (story,) = heard(engine, tell(prompt, limit=2000))

        assert engine.num_cells == 2048
        assert agree(expected, story)


def test_an_answer_outgrows_the_pool(model: Model) -> None:
    with opened(model, 512) as engine:
        one = tell(words(6, 400), limit=1000, max_tokens=500)
        (story,) = heard(engine, one)

        assert engine.num_cells == 1024
        assert one.finish_reason is FinishReason.STOP or len(story.logprobs) == 500


def test_refused_a_prompt_that_is_too_long_comes_back(model: Model) -> None:
    with opened(model, 512) as engine:
        short, long = tell(words(7, 300)), tell(words(8, 1500), limit=2000)
        engine.add(long)
        engine.add(short)
        told = []
        while engine.has_work:
            told += engine.step()
            if engine.wish():
                assert engine.has_work == bool(short.num_computed)
                told += engine.resize(engine.num_cells)

        (turned,) = [o for o in told if o.sequence is long]
        assert turned.too_long_for == engine.num_cells
        assert turned.is_last
        assert short.finish_reason is not None


@pytest.mark.parametrize("shifts", [False, True])
def test_refused_an_answer_ends_or_shifts_where_the_pool_does(
    model: Model, shifts: bool
) -> None:
    with opened(model, 512) as engine:
        one = tell(words(9, 400), limit=2000, max_tokens=600)
        one.num_keep = 4 if shifts else None
        stories = {one.id: Story([])}
        engine.add(one)
        stepped(engine, stories, grants=lambda _: 0)

        assert engine.num_cells == 512
        if one.finish_reason is FinishReason.LENGTH:
            said = len(stories[one.id].logprobs)
            assert said == 600 if shifts else said == 512 - 400 + 1
            assert one.limit == 512


def test_without_memory_everything_stays_as_it_was(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(model, 512) as engine:
        (expected,) = heard(engine, tell(words(10, 300)))

        def refuse(self: Context, num_cells: int) -> None:
            raise LoadFailed(f"no memory for {num_cells} cells")

        before = engine.num_cells
        with monkeypatch.context() as patch:
            patch.setattr(Context, "resize", refuse)
            engine.resize(4096)
        engine.check()
        (again,) = heard(engine, tell(words(10, 300)))

        assert engine.num_cells == before
        assert agree(expected, again)


def test_at_rest_the_pool_is_as_large_as_what_it_holds(model: Model) -> None:
    with opened(model, 512) as engine:
        one = tell(words(11, 700), limit=1500)
        heard(engine, one)
        engine.resize(8192)
        engine.rest()
        engine.check()

        assert engine.num_cells == 1024
        again = tell([*one.tokens, *words(12, 20)], limit=1500)
        heard(engine, again)
        assert again.num_cached == len(one.tokens) - 1


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 8))]
)
def test_a_storm_of_sizes_changes_no_answer(model: Model, seed: int) -> None:
    """Prompts join and leave while the pool grows, shrinks and is refused at random."""
    rng = random.Random(seed)
    stems = [words(100 + n, rng.randint(30, 250)) for n in range(3)]
    prompts = [
        [*rng.choice(stems), *words(200 + n, rng.randint(1, 150))] for n in range(24)
    ]
    with opened(model, _MOST) as engine:
        expected = [heard(engine, tell(prompt))[0] for prompt in prompts]

    with opened(model, 768) as engine:
        waiting = [tell(prompt) for prompt in prompts]
        everybody = list(waiting)
        stories = {one.id: Story([]) for one in everybody}
        left: set[int] = set()
        while waiting or engine.has_work:
            while waiting and rng.random() < 0.3:
                engine.add(waiting.pop())
            if rng.random() < 0.02:
                gone = rng.choice(everybody)
                left.add(gone.id)
                engine.cancel(gone.id)
            if rng.random() < 0.25:
                engine.resize(rng.choice([256, 768, 1536, 3072, 6144]))
                engine.check()
            steps = iter(range(rng.randint(1, 4)))
            stepped(
                engine,
                stories,
                lambda: next(steps, None) is None,  # noqa: B023 - used before the next
                lambda wanted: wanted if rng.random() < 0.5 else 0,
            )

        assert engine.counters.resizes > 2
        for story, one in zip(expected, everybody, strict=True):
            assert one.id in left or agree(story, stories[one.id]), one
