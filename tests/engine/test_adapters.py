"""Adapters on one model: answers are what they would be alone, cells are shared within a set and never beyond."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from struct import pack

import pytest

from ollapy.api.adapters import Adapter, AdapterSet
from ollapy.api.ollama import Logprob
from ollapy.engine.embedder import Embedder
from ollapy.engine.engine import Engine
from ollapy.engine.packer import EmbedJob
from ollapy.engine.sequence import Sequence
from ollapy.errors import InvalidNumbers, LoadFailed
from ollapy.llama.adapters import Adapters
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model
from scripts.make_gguf import write_lora
from tests.conftest import TINY
from tests.support.engines import Story, agree, question, run
from tests.support.raw_gguf import Row, text, write

# By name: the type's number, and its bytes.
TYPES = {"F32": (0, 4), "F16": (1, 2), "BF16": (30, 2)}
QUESTIONS = ["What is the capital of Japan?", "What is 37 + 48?", "Who are you?"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loras")


@pytest.fixture(scope="module")
def sets(folder: Path) -> list[AdapterSet]:
    """None, one, another, both, and the first with less strength."""
    one, other = (
        Adapter(str(seed), str(path), path.stat().st_size)
        for seed in (1, 2)
        for path in [write_lora(folder / f"{seed}.gguf", TINY, strength=0.3, seed=seed)]
    )
    weak = Adapter(one.digest, one.path, one.size, 0.5)
    return [(), (one,), (other,), (one, other), (weak,)]


Alone = Callable[[str, AdapterSet], Story]


@pytest.fixture(scope="module")
def alone(model: Model, sets: list[AdapterSet]) -> Alone:
    """The answer of an engine that has never seen another set."""
    known: dict[tuple[str, AdapterSet], Story] = {}

    def answer(text: str, adapters: AdapterSet) -> Story:
        if (text, adapters) not in known:
            with open_context(
                model, num_cells=1024, max_sequences=2, num_batch=512, num_threads=1
            ) as context:
                engine = Engine(model, context)
                known[text, adapters] = stories(engine, asked(model, text, adapters))[0]
                engine.close()
        return known[text, adapters]

    return answer


def asked(model: Model, text: str, adapters: AdapterSet) -> Sequence:
    sequence = question(model, text, think=False, limit=512, max_tokens=12, logprobs=2)
    sequence.adapters = adapters
    return sequence


def stories(engine: Engine, *sequences: Sequence) -> list[Story]:
    """What each of them says when all are asked together."""
    told: dict[int, list[Logprob]] = {sequence.id: [] for sequence in sequences}
    for sequence in sequences:
        engine.add(sequence)
    while engine.has_work:
        for output in engine.step():
            assert not output.error
            if output.logprob:
                told[output.sequence.id].append(output.logprob)
        engine.check()
    return [Story(told[sequence.id]) for sequence in sequences]


def test_each_set_answers_in_its_own_way(sets: list[AdapterSet], alone: Alone) -> None:
    first = [alone(QUESTIONS[0], adapters) for adapters in sets]

    for one, other in combinations(first, 2):
        assert not agree(one, other)


def test_one_after_the_other(
    model: Model, engine: Engine, sets: list[AdapterSet], alone: Alone
) -> None:
    for number in range(20):
        text, adapters = QUESTIONS[number % 3], sets[number % 5]
        (story,) = stories(engine, asked(model, text, adapters))
        assert agree(alone(text, adapters), story), number
    # whom the context served before this test is not known
    assert engine.counters.switches in (19, 20)


def test_all_at_once(
    model: Model, engine: Engine, sets: list[AdapterSet], alone: Alone
) -> None:
    """Those who want the same are in one batch."""
    pairs = [(text, adapters) for text in QUESTIONS for adapters in sets]

    answers = stories(engine, *(asked(model, *pair) for pair in pairs))

    for pair, answer in zip(pairs, answers, strict=True):
        assert agree(alone(*pair), answer), pair
    num_tokens = sum(len(answer.logprobs) for answer in answers)
    assert engine.counters.steps < num_tokens / 2


def test_those_that_are_not_used_give_way(
    model: Model, sets: list[AdapterSet], alone: Alone
) -> None:
    """And are loaded again when they are wanted."""
    adapters = Adapters(model, max_idle=sets[1][0].size)
    with open_context(
        model, num_cells=1024, max_sequences=4, num_batch=512, num_threads=1
    ) as context:
        engine = Engine(model, context, adapters)
        for number in (1, 2, 1, 3, 0, 2, 1):
            (story,) = stories(engine, asked(model, QUESTIONS[0], sets[number]))
            assert agree(alone(QUESTIONS[0], sets[number]), story)
        assert repr(adapters) == "<Adapters 2 loaded>"
        engine.close()
        adapters.use(context, ())
        assert repr(adapters) == "<Adapters 1 loaded>"


def test_in_a_context_of_another_size(
    model: Model, sets: list[AdapterSet], alone: Alone
) -> None:
    """One that has been made anew computes with no adapters until it is told to."""
    with open_context(
        model,
        num_cells=1024,
        max_sequences=4,
        num_batch=512,
        num_threads=1,
    ) as context:
        engine = Engine(model, context)
        for num_cells in (2048, 1024):
            (before,) = stories(engine, asked(model, QUESTIONS[1], sets[1]))
            context.resize(num_cells)
            (after,) = stories(engine, asked(model, QUESTIONS[0], sets[1]))
            assert agree(alone(QUESTIONS[1], sets[1]), before)
            assert agree(alone(QUESTIONS[0], sets[1]), after)
        engine.close()


def test_cells_are_shared_within_a_set_alone(
    model: Model, engine: Engine, sets: list[AdapterSet]
) -> None:
    for adapters in sets:
        first, again = (asked(model, QUESTIONS[0], adapters) for _ in range(2))
        run(engine, first)
        run(engine, again)
        assert first.num_cached == 0
        assert again.num_cached == again.num_prompt - 1


def test_a_file_that_is_gone_costs_only_who_wanted_it(
    model: Model, engine: Engine, folder: Path
) -> None:
    gone: AdapterSet = (Adapter("gone", str(folder / "gone.gguf"), 1),)
    bad, good = asked(model, QUESTIONS[0], gone), asked(model, QUESTIONS[0], ())
    engine.add(bad)
    engine.add(good)
    outputs = []
    while engine.has_work:
        outputs += engine.step()
        engine.check()

    (failed,) = [output for output in outputs if output.error]
    assert failed.sequence is bad
    assert isinstance(failed.error, LoadFailed)
    assert str(failed.error).startswith("the adapter could not be loaded:")
    assert str(folder) not in str(failed.error)
    text = "".join(output.text for output in outputs if output.sequence is good)
    assert text == "The capital of Japan is Tokyo."


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 3e4])
def test_an_adapter_with_numbers_that_are_none_is_not_loaded(
    model: Model, context: Context, tmp_path: Path, kind: str, number: float
) -> None:
    path = tmp_path / "ill.gguf"
    rows = [
        Row(f"blk.0.attn_q.weight.lora_{part}", (256, 256), TYPES[kind][0], nbytes=256 * 256 * TYPES[kind][1])
        for part in "ab"
    ]  # fmt: skip
    data = write(
        {
            "general.architecture": text("llama"),
            "general.type": text("adapter"),
            "adapter.type": text("lora"),
        },
        rows,
    )
    last = pack("<e", number) if kind == "F16" else pack("<f", number)
    last = last[2:] if kind == "BF16" else last
    path.write_bytes(data[: -len(last)] + last)
    use = partial(Adapters(model).use, context, (Adapter(kind, str(path), 1),))

    if number == 3e4:
        assert use()
        assert Adapters(model).use(context, ())
    else:
        with pytest.raises(LoadFailed, match="lora_b holds invalid numbers"):
            use()


def test_numbers_that_are_none_stay_with_who_asked_for_them(
    model: Model, engine: Engine, folder: Path, alone: Alone
) -> None:
    """And nothing of them is left in the memory; an answer under way goes on as if nothing had happened."""
    path = write_lora(folder / "ill.gguf", TINY, strength=1e30)
    ill: AdapterSet = (Adapter("ill", str(path), 1),)
    good, bad = asked(model, QUESTIONS[0], ()), asked(model, QUESTIONS[0], ill)
    outputs = []
    engine.add(good)
    while good.num_generated < 3:
        outputs += engine.step()
    engine.add(bad)
    while not any(output.error for output in outputs):
        outputs += engine.step()
    assert engine.stats["used_cells"] == 0
    engine.check()
    while engine.has_work:
        outputs += engine.step()
        engine.check()

    (failed,) = [output for output in outputs if output.error]
    assert failed.sequence is bad
    assert isinstance(failed.error, InvalidNumbers)
    story = Story([output.logprob for output in outputs if output.logprob])
    assert agree(alone(QUESTIONS[0], ()), story)


def test_vectors(model: Model, sets: list[AdapterSet]) -> None:
    """Texts of one pack have one set; each job's vector is its own set's."""
    tokens = model.vocabulary.tokenize(QUESTIONS[0])

    def embedded(context: Context, *wanted: AdapterSet) -> list[list[float]]:
        embedder = Embedder(model, context, Adapters(model))
        jobs = [EmbedJob(i, [tokens], adapters=a) for i, a in enumerate(wanted)]
        for job in jobs:
            embedder.add(job)
        while embedder.has_work:
            embedder.step(512)
            embedder.check()
        return [job.vectors[0] for job in jobs]

    with open_context(
        model,
        num_cells=1024,
        max_sequences=8,
        num_batch=512,
        num_threads=1,
        pooled=True,
    ) as context:
        together = embedded(context, *sets, *sets)
        apart = [embedded(context, adapters)[0] for adapters in sets]

    assert len({tuple(vector) for vector in apart}) == len(sets)
    for vector, expected in zip(together, [*apart, *apart], strict=True):
        assert vector == pytest.approx(expected, abs=1e-3)
