"""The scheduler is driven as the engine drives it, with invented tokens and no model."""

from __future__ import annotations

import itertools
import random

from ollapy.api.options import SamplingParams
from ollapy.engine.scheduler import Batch, Scheduler
from ollapy.engine.sequence import Sequence

ids = itertools.count()


def sequence(num_prompt: int, *, limit: int = 64) -> Sequence:
    return Sequence(next(ids), list(range(num_prompt)), SamplingParams(), limit)


def scheduler(
    *, num_cells: int = 64, max_sequences: int = 4, max_batch: int = 16
) -> Scheduler:
    return Scheduler(
        num_cells=num_cells, max_sequences=max_sequences, max_batch=max_batch
    )


def step(scheduler: Scheduler) -> Batch:
    """One turn: everything scheduled is computed, and each sampled sequence gets token 7."""
    batch = scheduler.schedule()
    scheduler.commit(batch)
    for sampled in batch.sampled:
        sampled.tokens.append(7)
    scheduler.check()
    return batch


def test_a_prompt_is_computed_in_one_batch_and_its_last_token_sampled() -> None:
    schedule = scheduler()
    one = sequence(5)
    schedule.add(one)

    batch = step(schedule)

    assert (batch.tokens, batch.positions, batch.outputs) == (
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3, 4],
        [4],
    )
    assert batch.slots == [one.slot] * 5
    assert one.num_pending == 1


def test_a_long_prompt_takes_several_batches_and_samples_once() -> None:
    schedule = scheduler()
    schedule.add(sequence(40))

    sizes = [
        (len(batch.tokens), len(batch.sampled))
        for batch in (step(schedule) for _ in range(4))
    ]

    assert sizes == [(16, 0), (16, 0), (8, 1), (1, 1)]


def test_a_long_prompt_does_not_stop_a_sequence_that_generates() -> None:
    """While one generates, another's prompt comes in small pieces, and the first is in every batch."""
    schedule = scheduler()
    generating, newcomer = sequence(3), sequence(40)
    schedule.add(generating)
    step(schedule)
    schedule.add(newcomer)

    batches = [step(schedule) for _ in range(8)]

    assert all(generating in batch.sampled for batch in batches)
    assert all(len(batch.tokens) <= 3 for batch in batches)


def test_sequences_beyond_the_slots_wait_their_turn() -> None:
    schedule = scheduler(max_sequences=2)
    three = [sequence(3) for _ in range(3)]
    for one in three:
        schedule.add(one)
    step(schedule)

    assert [s.slot is None for s in three] == [False, False, True]
    schedule.remove(three[0])
    step(schedule)
    assert three[2].slot is not None


def test_a_slot_is_emptied_before_it_is_used_again() -> None:
    schedule = scheduler(max_sequences=1)
    first, second = sequence(3), sequence(4)
    schedule.add(first)
    schedule.add(second)
    step(schedule)
    slot = first.slot
    schedule.remove(first)

    batch = step(schedule)

    assert batch.released == [slot]
    assert second.slot == slot


def test_when_the_pool_is_full_the_youngest_waits_and_later_computes_everything_again() -> (
    None
):
    schedule = scheduler(num_cells=24, max_batch=24)
    old, young = sequence(9, limit=24), sequence(9, limit=24)
    schedule.add(old)
    schedule.add(young)
    while schedule.num_preemptions == 0:
        step(schedule)
    tokens = list(young.tokens)

    assert young.slot is None
    assert old.slot is not None
    schedule.remove(old)
    batch = step(schedule)
    assert batch.tokens == tokens, "its answer so far is part of what it computes again"


def test_removing_a_waiting_sequence() -> None:
    schedule = scheduler(max_sequences=1)
    running, waiting = sequence(3), sequence(3)
    schedule.add(running)
    schedule.add(waiting)
    step(schedule)
    schedule.remove(waiting)

    assert (schedule.num_running, schedule.num_waiting) == (1, 0)


def test_invariants_hold_under_a_random_storm() -> None:
    """Joining, leaving and preemption in any order: the pool is never overdrawn and everyone finishes."""
    rng = random.Random(7)
    for _ in range(30):
        schedule = scheduler(
            num_cells=rng.randint(20, 80), max_sequences=rng.randint(1, 6)
        )
        alive: list[Sequence] = []
        for turn in itertools.count():
            if turn < 60 and rng.random() < 0.4:
                one = sequence(rng.randint(1, 17), limit=20)
                alive.append(one)
                schedule.add(one)
            batch = step(schedule)
            assert len(batch.tokens) <= 16
            for one in list(alive):
                if len(one.tokens) >= one.limit or rng.random() < 0.02:
                    schedule.remove(one)
                    alive.remove(one)
            if turn > 60 and not alive:
                break
            assert turn < 2000, f"{schedule} makes no progress"
        assert schedule.num_free_cells == schedule._num_cells
