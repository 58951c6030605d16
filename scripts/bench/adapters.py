"""What adapters cost: in a token, and in turns where several are wanted at once. In this process, without a daemon."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from ollapy.api.adapters import Adapter, AdapterSet
from ollapy.api.options import SamplingParams
from ollapy.engine.engine import Engine
from ollapy.engine.sequence import Sequence
from ollapy.llama.adapters import Adapters
from ollapy.llama.context import open_context
from ollapy.llama.model import open_model
from scripts.make_gguf import write_lora, write_shape
from scripts.make_gguf.loras import ALL_MATRICES

from .host import Host
from .report import Row

_RANK = 16
_NUM_TOKENS = 24  # of each answer
_ids = itertools.count()
# Which adapters the streams want, by number, and which those that they are compared with.
_COMPARED = {
    "a token with an adapter against one without": ([1], [0]),
    "two streams with two adapters against one with one": ([1, 2], [1]),
    "two streams with two adapters against two with the same": ([1, 2], [1, 1]),
    "eight streams with two adapters against eight with the same": ([1, 2] * 4, [1] * 8),
}  # fmt: skip


def adapters(host: Host, rounds: int) -> Iterator[Row]:
    """The time for a token of all streams together with some adapters, against that with others."""
    with _engine(host.folder, host.threads or 2) as (engine, sets):
        yield _switch(engine, sets, rounds)
        for name, (these, those) in _COMPARED.items():
            one, other = [], []
            for _ in range(rounds + 1):
                one.append(_token_seconds(engine, [sets[i] for i in these]))
                other.append(_token_seconds(engine, [sets[i] for i in those]))
            seconds = median(one[1:]), median(other[1:])
            detail = f"{seconds[0] * 1e3:.1f} against {seconds[1] * 1e3:.1f} ms a token"
            yield Row(name, seconds[0] / seconds[1], "x", None, detail)


def _switch(engine: Engine, sets: list[AdapterSet], rounds: int) -> Row:
    """What a step with other adapters than the last one's takes more than the next step."""
    extra = []
    for number in range(rounds * 10):
        engine.add(_sequence(sets[1 + number % 2], 3))
        first, second = _step_seconds(engine), _step_seconds(engine)
        while engine.has_work:
            engine.step()
        extra.append(first - second)
    return Row("a switch to other adapters", median(extra) * 1e3, "ms")


def _token_seconds(engine: Engine, wanted: list[AdapterSet]) -> float:
    """How long all streams together take for one token."""
    for adapters in wanted:
        engine.add(_sequence(adapters, _NUM_TOKENS))
    steps = []
    while engine.has_work:
        steps.append(_step_seconds(engine))
    return sum(steps) / (_NUM_TOKENS * len(wanted))


def _step_seconds(engine: Engine) -> float:
    started = time.perf_counter()
    engine.step()
    return time.perf_counter() - started


def _sequence(adapters: AdapterSet, count: int) -> Sequence:
    """A prompt of one token, and an answer of so many."""
    params = SamplingParams(temperature=0.8, seed=1, max_tokens=count)
    return Sequence(next(_ids), [100], params, 512, adapters=adapters)


@contextmanager
def _engine(
    folder: Path, num_threads: int
) -> Iterator[tuple[Engine, list[AdapterSet]]]:
    """One on a model of real shape, and sets of adapters: none, and four of one each."""
    weights = folder / "model.gguf"
    write_shape(weights, shape="0.5b")
    sets = [(), *(_lora(folder, weights, seed) for seed in range(1, 5))]
    with _opened(weights, num_threads) as engine:
        yield engine, sets


@contextmanager
def _opened(weights: Path, num_threads: int) -> Iterator[Engine]:
    with (
        open_model([weights], on_progress=lambda _: None) as model,
        open_context(
            model,
            num_cells=8192,
            max_sequences=64,
            num_batch=512,
            num_threads=num_threads,
        ) as context,
    ):
        engine = Engine(model, context, Adapters(model))
        yield engine
        engine.close()


def _lora(folder: Path, weights: Path, seed: int) -> AdapterSet:
    path = write_lora(
        folder / f"{seed}.gguf",
        weights,
        strength=1e-3,
        seed=seed,
        rank=_RANK,
        changes=ALL_MATRICES,
    )
    return (Adapter(str(seed), str(path), path.stat().st_size),)
