"""Tuner: ways to compute a loaded model, measured against each other. On the engine's thread, for seconds.

Ways take turns, so that a machine that gets slower meanwhile does so for all, and the best time of each counts,
which others on the machine disturb least. What is not
clearly faster than what llama.cpp or ollapy would do by itself is not worth being different.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from ollapy.api.tuning import Trial, Tuning
from ollapy.errors import Busy, LoadFailed
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model

from .protocol import Load
from .threads import Usage

_ROUNDS = 3
_CLEARLY = 1.05  # times faster
_CELLS = 1024
_READ_SECONDS, _GENERATE_SECONDS = 1.0, 0.4
_LEAST_READ, _LEAST_GENERATED, _MOST_GENERATED = 32, 4, 32


class Tuner:
    """`is_wanted` is asked before each batch: once somebody needs the model, Busy is raised."""

    def __init__(self, model: Model, load: Load, is_wanted: Callable[[], bool]) -> None:
        self._model = model
        self._load = load
        self._is_wanted = is_wanted
        self._random = random.Random(1)
        self._num_read, self._num_generated = _LEAST_READ, _LEAST_GENERATED
        self._before = _usage()
        self.trials: list[Trial] = []

    @property
    def others(self) -> float:
        """The share of the cores that other programs have used meanwhile; 0 where the system does not say."""
        now = _usage()
        return now.others_since(self._before) if now and self._before else 0.0

    def run(self, threads: Sequence[int], ubatches: Sequence[int]) -> Tuning:
        """The best of those numbers, with the kind of attention that suits; the first are those that need no reason."""
        self._settle(Tuning(threads[0], threads[0]))
        counts = self._try(Tuning(count, count) for count in threads)
        found = Tuning(
            best(counts, lambda trial: trial.generated).num_threads,
            best(counts, lambda trial: trial.read).num_prompt_threads,
        )
        if self._load.kv_type == "f16":  # what is quantised needs flash attention
            kinds = self._try([found, replace(found, flash_attention=False)])
            found = kinds[-1].tuning if pays(*kinds) else found
        sizes = [size for size in ubatches if size < self._num_read]
        if sizes:
            ways = [replace(found, num_ubatch=size) for size in sizes]
            found = best(self._try([found, *ways]), lambda trial: trial.read)
        return found

    def _settle(self, tuning: Tuning) -> None:
        """How much to compute at once: as much as takes about a second."""
        for _ in range(2):  # the first time pages of the file may have to be read
            trial = self._measure(tuning)
        most = min(self._load.num_batch, _CELLS // 2)
        self._num_read = _between(_LEAST_READ, trial.read * _READ_SECONDS, most)
        self._num_generated = _between(
            _LEAST_GENERATED, trial.generated * _GENERATE_SECONDS, _MOST_GENERATED
        )

    def _try(self, ways: Iterable[Tuning]) -> list[Trial]:
        """One trial of each way, the first of which is the one that there is; those that cannot be are left out."""
        found: dict[Tuning, list[Trial]] = {way: [] for way in ways}
        for _ in range(_ROUNDS):
            for way, trials in found.items():
                try:
                    trials.append(self._measure(way))
                except LoadFailed:  # not of this model, or there is no memory for it
                    continue
        tried = [_undisturbed(way, trials) for way, trials in found.items() if trials]
        self.trials += tried
        return tried

    def _measure(self, tuning: Tuning) -> Trial:
        opening = open_context(
            self._model,
            num_cells=_CELLS,
            max_sequences=1,
            num_batch=min(self._load.num_batch, _CELLS // 2),
            num_threads=tuning.num_threads,
            kv_type=self._load.kv_type,
            tuning=tuning,
        )
        with opening as context:
            read, generated = self._num_read, self._num_generated
            self._decode(context, 0, 8)  # its threads are made, its memory is touched
            context.remove(0)
            read_seconds = _timed(lambda: self._decode(context, 0, read))
            generate_seconds = _timed(lambda: self._generate(context, read, generated))
        return Trial(tuning, read / read_seconds, generated / generate_seconds)

    def _generate(self, context: Context, start: int, count: int) -> None:
        for position in range(start, start + count):
            self._decode(context, position, 1)

    def _decode(self, context: Context, start: int, count: int) -> None:
        if self._is_wanted():
            raise Busy("the model is being used: tune it when nobody does")
        tokens = self._random.choices(range(self._model.vocabulary.num_tokens), k=count)
        positions = [*range(start, start + count)]
        context.decode(tokens, positions, [0] * count, [count - 1])


def best(trials: Sequence[Trial], rate: Callable[[Trial], float]) -> Tuning:
    """The first way, unless another is clearly faster."""
    first = trials[0]
    fastest = max(trials, key=rate)
    return (fastest if rate(fastest) > rate(first) * _CLEARLY else first).tuning


def pays(usual: Trial, other: Trial | None = None) -> bool:
    """Whether another way is clearly faster at something and slower at nothing."""
    if other is None:
        return False
    gains = other.read / usual.read, other.generated / usual.generated
    return min(gains) >= 1 and max(gains) > _CLEARLY


def _usage() -> Usage | None:
    try:
        return Usage.now()
    except OSError:  # a sandbox hides it
        return None


def _undisturbed(way: Tuning, trials: Sequence[Trial]) -> Trial:
    return Trial(way, max(t.read for t in trials), max(t.generated for t in trials))  # fmt: skip


def _between(least: int, value: float, most: int) -> int:
    return int(min(max(value, least), most))


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return max(time.perf_counter() - started, 1e-9)
