"""Vectors and scores of real models: the same whatever a text is packed with and however it is cut."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from ollapy.engine.embedder import Embedder
from ollapy.engine.packer import EmbedJob
from ollapy.errors import RunnerError, Unsupported
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model, Pooling, open_model
from scripts.make_gguf import (
    write_embedder,
    write_hybrid,
    write_random,
    write_recurrent,
    write_sliding,
)

KINDS: dict[str, Callable[[Path], None]] = {
    "mean": lambda path: write_embedder(path, pooling="mean"),
    "cls": lambda path: write_embedder(path, pooling="cls"),
    "rank": lambda path: write_embedder(path, pooling="rank"),
    "last": lambda path: write_embedder(path, pooling="last"),
    "generating": write_random,
    "sliding": write_sliding,
    "hybrid": write_hybrid,
    "recurrent": write_recurrent,
}
CAUSAL = ("last", "generating", "sliding", "hybrid", "recurrent")
MAX_BATCH, LONGEST = 64, 400
_ids = itertools.count()

Open = Callable[..., Embedder]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a kind of model."""
    return str(request.param)


@pytest.fixture(scope="module")
def path(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small random model of the kind."""
    path = tmp_path_factory.mktemp(kind) / "model.gguf"
    KINDS[kind](path)
    return path


@pytest.fixture(scope="module")
def model(path: Path) -> Iterator[Model]:
    """The model of the file."""
    with open_model([path], on_progress=lambda _: None) as model:
        yield model


def opened(model: Model, max_batch: int) -> Any:
    """A pooled context for texts of LONGEST tokens, or for those that fit a batch."""
    return open_context(
        model,
        num_cells=LONGEST + max_batch if model.is_causal else max_batch,
        max_sequences=8,
        num_batch=max_batch,
        num_threads=1,
        pooled=True,
    )


@pytest.fixture(scope="module")
def context(model: Model) -> Iterator[Context]:
    """A context of small batches."""
    with opened(model, MAX_BATCH) as context:
        yield context


@pytest.fixture
def embedder(model: Model, context: Context) -> Iterator[Embedder]:
    """An embedder that has nothing to do, and leaves nothing undone."""
    embedder = Embedder(model, context)
    yield embedder
    assert not embedder.has_work


def job(*inputs: list[int], scores: bool = False, **changes: Any) -> EmbedJob:
    return EmbedJob(next(_ids), list(inputs), scores=scores, **changes)


def text(length: int, seed: int = 0) -> list[int]:
    """Tokens that every vocabulary has."""
    return random.Random(f"{length} {seed}").choices(range(5, 100), k=length)


def run(
    embedder: Embedder, *jobs: EmbedJob, max_tokens: int = MAX_BATCH
) -> list[EmbedJob]:
    """Add jobs and step until all are done; in the order in which they were."""
    done: list[EmbedJob] = []
    for job in jobs:
        embedder.add(job)
    while embedder.has_work:
        done += embedder.step(max_tokens)
        embedder.check()
    return done


def likeness(one: list[float], other: list[float]) -> float:
    a, b = np.array(one), np.array(other)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_vector_is_the_same_whatever_it_is_packed_with(
    embedder: Embedder, kind: str
) -> None:
    texts = [text(length) for length in (9, 1, 30, 17, 64, 5, 22)]
    scores = kind == "rank"
    jobs = [job(*texts, scores=scores), job(text(3), *texts[::-1], scores=scores)]

    run(embedder, *jobs)

    for tokens, vector, twin in zip(
        texts, jobs[0].vectors, jobs[1].vectors[:0:-1], strict=True
    ):
        alone = job(tokens, scores=scores)
        run(embedder, alone)
        if scores:
            assert vector == pytest.approx(alone.vectors[0], abs=1e-3)
            assert twin == pytest.approx(alone.vectors[0], abs=1e-3)
        else:
            assert likeness(vector, alone.vectors[0]) >= 0.9999
            assert likeness(twin, alone.vectors[0]) >= 0.9999


@pytest.mark.parametrize("kind", CAUSAL, indirect=True, scope="module")
def test_a_long_text_in_parts_is_the_same_as_in_one_batch(
    embedder: Embedder, model: Model
) -> None:
    long, short = text(LONGEST), [text(20, seed) for seed in range(30)]
    other = long[:100]
    with opened(model, 512) as large:
        whole = job(long, other)
        run(Embedder(model, large), whole, max_tokens=512)
    alone, among = job(long), job(short[0], long, short[1])

    run(embedder, alone)
    run(embedder, among, *map(job, short), max_tokens=48)

    assert likeness(alone.vectors[0], whole.vectors[0]) >= 0.9999
    assert likeness(among.vectors[1], whole.vectors[0]) >= 0.9999
    assert likeness(whole.vectors[1], whole.vectors[0]) < 0.9999


@pytest.mark.parametrize("kind", ["mean"], indirect=True, scope="module")
def test_texts_that_must_be_whole_go_alone_when_the_budget_is_small(
    embedder: Embedder,
) -> None:
    jobs = [job(text(64)), job(text(40)), job(text(8), text(8))]

    assert run(embedder, *jobs, max_tokens=16) == [jobs[2], jobs[1], jobs[0]]


def test_vectors_have_length_one_and_scores_are_as_they_are(
    embedder: Embedder, kind: str
) -> None:
    made = job(text(9), text(10), dimensions=4, scores=kind == "rank")

    run(embedder, made)

    lengths = {len(vector) for vector in made.vectors}
    assert lengths == ({1} if kind == "rank" else {4})
    norms = [float(np.linalg.norm(vector)) for vector in made.vectors]
    assert (norms == pytest.approx([1.0, 1.0])) is (kind != "rank")


def test_a_reranker_makes_no_vectors_and_the_others_no_scores(
    embedder: Embedder, kind: str
) -> None:
    with pytest.raises(Unsupported, match="documents"):
        embedder.add(job(text(3), scores=kind != "rank"))


def test_a_job_without_texts_is_done_at_once(embedder: Embedder, kind: str) -> None:
    empty = job(scores=kind == "rank")

    assert run(embedder, empty) == [empty]


@pytest.mark.parametrize("kind", CAUSAL, indirect=True, scope="module")
def test_a_job_cancelled_in_the_middle_of_a_text_leaves_no_cells(
    embedder: Embedder, context: Context
) -> None:
    long, other = job(text(300)), job(text(100))
    embedder.add(long)
    embedder.step(MAX_BATCH)
    embedder.add(other)
    embedder.step(MAX_BATCH)
    held = [context.length(slot) for slot in range(context.max_sequences)]
    assert sorted(held)[-2:] == [64, 64]

    embedder.cancel(long.id)
    embedder.cancel(long.id)
    embedder.check()

    held = [context.length(slot) for slot in range(context.max_sequences)]
    assert sorted(held)[-2:] == [0, 64]
    assert run(embedder) == [other]
    assert not any(context.length(slot) for slot in range(context.max_sequences))


@pytest.mark.parametrize("kind", ["last", "recurrent"], indirect=True, scope="module")
def test_a_decode_that_is_given_up_is_done_again(
    embedder: Embedder, context: Context
) -> None:
    calm, disturbed = job(text(200)), job(text(200))
    run(embedder, calm)
    embedder.add(disturbed)
    embedder.step(MAX_BATCH)

    context.abort()

    assert embedder.step(MAX_BATCH) == []
    assert run(embedder) == [disturbed]
    assert likeness(calm.vectors[0], disturbed.vectors[0]) >= 0.9999


def test_only_a_job_that_computes_alone_is_interrupted(
    embedder: Embedder, kind: str
) -> None:
    """Nothing computes here, so nobody's next decode may be hit."""
    waiting = job(text(9), scores=kind == "rank")
    embedder.add(waiting)

    embedder.interrupt(waiting.id)

    assert embedder.step(MAX_BATCH) == [waiting]
    assert waiting.error is None


@pytest.mark.parametrize("kind", ["last", "generating"], indirect=True, scope="module")
def test_a_full_memory_fails_nobody_who_can_be_computed_alone(
    embedder: Embedder, context: Context
) -> None:
    size = MAX_BATCH
    context.pool(on=False)
    for start in range(0, context.num_cells, size):
        positions = list(range(start, start + size))
        context.decode([5] * size, positions, [7] * size, [])
    jobs = [job(text(40)), job(text(24))]

    assert run(embedder, *jobs) == [jobs[1], jobs[0]]
    assert [job.error for job in jobs] == [None, None]


@pytest.mark.parametrize("kind", ["mean", "last"], indirect=True, scope="module")
def test_a_nan_fails_its_own_job_only(path: Path, tmp_path: Path) -> None:
    poison, ill = 101, tmp_path / "ill.gguf"
    ill.write_bytes(path.read_bytes())
    reader = gguf.GGUFReader(ill, "r+")
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    tensors["token_embd.weight"][poison] = np.nan
    with (
        open_model([ill], on_progress=lambda _: None) as model,
        opened(model, MAX_BATCH) as context,
    ):
        embedder = Embedder(model, context)
        good, bad, late = job(text(20)), job(text(9), [5, poison, 6]), job(text(30))

        run(embedder, good, bad)
        run(embedder, late)

    assert [job.error for job in (good, late)] == [None, None]
    assert isinstance(bad.error, RunnerError)
    assert str(bad.error) == "embedding contains NaN or Inf values"


def test_the_model_says_how_it_pools(model: Model, kind: str) -> None:
    expected = Pooling.__members__.get(kind.upper(), Pooling.MEAN)

    assert (model.pooling, model.is_causal) == (expected, kind in CAUSAL)
    assert model.vocabulary.adds_end is (kind in ("mean", "cls", "rank", "last"))
