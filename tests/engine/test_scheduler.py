"""The scheduler is driven as the engine drives it, with invented tokens and counted cells for a model."""

from __future__ import annotations

import itertools
import random

import pytest

from ollapy.api.options import SamplingParams
from ollapy.engine.prefix_tree import PrefixTree, Share
from ollapy.engine.scheduler import Batch, Scheduler
from ollapy.engine.sequence import Sequence
from tests.support.cells import Cells

ids = itertools.count()


def sequence(*tokens: int, limit: int = 64) -> Sequence:
    return Sequence(next(ids), list(tokens), SamplingParams(), limit)


def prompt(length: int, *, limit: int = 64) -> Sequence:
    """A sequence like no other."""
    first = 1000 * next(ids)
    return sequence(*range(first, first + length), limit=limit)


class Turns:
    """A scheduler, the cells it governs, and a clock that counts its turns."""

    def __init__(
        self,
        *,
        num_cells: int = 64,
        num_slots: int = 4,
        max_batch: int = 16,
        can_share: bool = True,
        max_idle: int = 1000,
    ) -> None:
        self.tree = PrefixTree(
            num_cells=num_cells, num_slots=num_slots, can_share=can_share
        )
        self.scheduler = Scheduler(self.tree, max_batch=max_batch, max_idle=max_idle)
        self.cells = Cells(num_cells)
        self.now = 0.0

    def step(self, *, max_prompt: int = 2) -> Batch:
        """One turn: everything scheduled is computed, and each sampled sequence gets a token of its own."""
        self.now += 1.0
        batch = self.scheduler.schedule(now=self.now, max_prompt=max_prompt)
        self.cells.act(batch.actions)
        self.cells.compute(batch)
        self.scheduler.commit(batch)
        self.check(batch)
        for sampled in batch.sampled:
            sampled.tokens.append(-sampled.id)
        return batch

    def check(self, batch: Batch) -> None:
        self.scheduler.check()
        assert self.tree.num_used == self.cells.num_used, "cells owned are cells used"
        for one, _ in batch.parts:
            assert one.slot is not None
            assert self.cells.tokens(one.slot) == one.tokens[: one.num_computed]

    def add(self, *sequences: Sequence) -> None:
        for one in sequences:
            self.scheduler.add(one)

    def remove(self, one: Sequence) -> None:
        self.scheduler.remove(one, self.now)


def test_a_prompt_is_computed_in_one_batch_and_its_last_token_sampled() -> None:
    turns, one = Turns(), sequence(7, 8, 9)
    turns.add(one)
    batch = turns.step()

    assert (batch.tokens, batch.positions, batch.outputs) == ([7, 8, 9], [0, 1, 2], [2])
    assert batch.slots == [one.slot] * 3
    assert one.num_pending == 1


def test_a_long_prompt_takes_several_batches_and_samples_once() -> None:
    turns = Turns()
    turns.add(prompt(40))

    sizes = [
        (len(batch.tokens), len(batch.sampled))
        for batch in (turns.step() for _ in range(4))
    ]
    assert sizes == [(16, 0), (16, 0), (8, 1), (1, 1)]


def test_a_long_prompt_does_not_stop_a_sequence_that_generates() -> None:
    """While one generates, another's prompt comes in pieces as small as asked, and the first is in every batch."""
    turns, generating, newcomer = Turns(), prompt(3), prompt(40)
    turns.add(generating)
    turns.step()
    turns.add(newcomer)
    batches = [turns.step(max_prompt=5) for _ in range(8)]

    assert all(generating in batch.sampled for batch in batches)
    assert [len(batch.tokens) for batch in batches] == [6] * 7 + [6]
    assert newcomer.num_pending == 1


def test_the_shorter_prompt_goes_first_and_nobody_starves() -> None:
    turns = Turns(num_cells=4000, max_batch=1)
    long, short = prompt(600, limit=3000), prompt(10, limit=3000)
    long.arrived_at = short.arrived_at = 0.0
    turns.scheduler._max_batch = 4
    turns.add(long)
    turns.step()
    turns.add(short)
    turns.step()  # the long one is admitted already, the short one joins behind it
    assert short.slot is None or short.num_computed > 0
    for _ in range(300):
        turns.step(max_prompt=4)

    assert short.num_generated > 0
    assert long.num_generated > 0


def test_sequences_beyond_the_slots_wait_their_turn() -> None:
    turns = Turns(num_slots=2)
    three = [prompt(3) for _ in range(3)]
    turns.add(*three)
    turns.step()
    assert [s.slot is None for s in three] == [False, False, True]

    turns.remove(three[0])
    turns.step()
    assert three[2].slot is not None


def test_what_is_resident_is_not_computed_again() -> None:
    """The next turn of a chat: its history is there, whoever computed it, and its own slot is taken over."""
    turns, first = Turns(), sequence(1, 2, 3, 4)
    turns.add(first)
    for _ in range(3):
        turns.step()
    turns.remove(first)
    second = sequence(*first.tokens[: first.num_prompt + 2], 50, 51)
    turns.add(second)
    batch = turns.step()

    assert batch.tokens == [50, 51]
    assert second.num_cached == 6
    assert not [action for action in batch.actions if isinstance(action, Share)], (
        "nothing had to be shared"
    )


def test_a_prefix_is_shared_with_a_running_sequence_in_its_middle() -> None:
    turns, first, second = Turns(), sequence(1, 2, 3, 4, 5), sequence(1, 2, 3, 9)
    turns.add(first)
    turns.step()
    turns.add(second)
    batch = turns.step()

    assert (second.num_cached, batch.tokens) == (3, [-first.id, 9])
    assert turns.tree.num_used == 5 + 1 + 1


def test_the_same_prompt_again_computes_its_last_token_alone() -> None:
    turns, first, second = Turns(), sequence(1, 2, 3), sequence(1, 2, 3)
    turns.add(first)
    turns.step()
    turns.add(second)
    batch = turns.step()

    assert second.num_cached == 2
    assert 3 in batch.tokens


def test_a_prefix_that_arrives_with_many_is_read_once() -> None:
    """Eight prompts with the same forty tokens: the others wait for the first instead of repeating it."""
    turns = Turns(num_cells=200, num_slots=8)
    many = [sequence(*range(40), 100 + i, limit=100) for i in range(8)]
    turns.add(*many)
    computed = 0
    while any(one.num_generated == 0 for one in many):
        computed += len(turns.step(max_prompt=16).tokens)

    assert computed <= 40 + 8 + 8 * 8, (
        "the prefix, each one's end, and what some generated meanwhile"
    )
    assert [one.num_cached for one in many] == [0] + [40] * 7


def test_when_the_pool_is_full_the_oldest_idle_tokens_go_first() -> None:
    turns = Turns(num_cells=32, max_batch=32)
    old, recent = prompt(10, limit=32), prompt(10, limit=32)
    for one in (old, recent):
        turns.add(one)
        turns.step()
        turns.remove(one)
    newcomer = prompt(18, limit=32)
    turns.add(newcomer)
    turns.step()

    assert turns.tree.match([*recent.tokens, 0])[1] == 10, "the recent one is whole"
    assert turns.tree.match([*old.tokens, 0])[1] == 4, (
        "of the old one only as much went as was needed"
    )


def test_only_so_much_is_kept_of_what_nobody_runs_on() -> None:
    turns = Turns(num_cells=200, max_idle=25)
    for _ in range(6):
        one = prompt(10)
        turns.add(one)
        turns.step()
        turns.remove(one)

    assert turns.tree.num_used == 25
    assert turns.tree.match([*one.tokens, 0])[1] == 10, "the latest is whole"


def test_when_the_pool_is_full_the_youngest_waits_and_keeps_its_answer() -> None:
    turns = Turns(num_cells=24, max_batch=24)
    old, young = prompt(9, limit=24), prompt(9, limit=24)
    turns.add(old, young)
    while turns.scheduler.num_preemptions == 0:
        turns.step()
    tokens = list(young.tokens)
    assert (young.slot, old.slot is None) == (None, False)

    turns.remove(old)
    batch = turns.step()
    assert tokens[-len(batch.tokens) :] == batch.tokens, (
        "it goes on from what is left of it"
    )
    assert young.tokens[: len(tokens)] == tokens


def test_removing_a_waiting_sequence() -> None:
    turns = Turns(num_slots=1)
    running, waiting = prompt(3), prompt(3)
    turns.add(running, waiting)
    turns.step()
    turns.remove(waiting)

    assert (turns.scheduler.num_running, turns.scheduler.num_waiting) == (1, 0)


def test_a_model_whose_state_cannot_be_shared_computes_everything() -> None:
    turns = Turns(can_share=False)
    for _ in range(3):
        one = sequence(1, 2, 3, 4)
        turns.add(one)
        assert len(turns.step().tokens) == 4
        turns.remove(one)
    assert turns.tree.num_used == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_random_storm(seed: int) -> None:
    """Joining, sharing, leaving, eviction and preemption in any order.

    After every turn each slot holds just the tokens of its sequence, the tree's count of cells is the
    memory's, and in the end everyone has been answered.
    """
    rng = random.Random(seed)
    turns = Turns(
        num_cells=rng.randint(24, 90),
        num_slots=rng.randint(1, 6),
        max_batch=rng.choice([4, 16]),
    )
    stems = [[rng.randint(1, 3) for _ in range(rng.randint(0, 12))] for _ in range(4)]
    alive: list[Sequence] = []
    for turn in itertools.count():
        if turn < 80 and rng.random() < 0.4:
            tail = [rng.randint(1, 3) for _ in range(rng.randint(1, 6))]
            one = sequence(*rng.choice(stems), *tail, limit=24)
            alive.append(one)
            turns.add(one)
        turns.step(max_prompt=rng.choice([1, 4]))
        for one in list(alive):
            if len(one.tokens) >= one.limit or rng.random() < 0.03:
                turns.remove(one)
                alive.remove(one)
        if turn > 80 and not alive:
            return
        assert turn < 3000, f"{turns.scheduler} makes no progress"
