"""The scheduler is driven as the engine drives it, with invented tokens and counted cells for a model."""

from __future__ import annotations

import itertools
import random

import pytest

from ollapy.api.adapters import Adapter, AdapterSet
from ollapy.api.options import SamplingParams
from ollapy.engine import checkpoints
from ollapy.engine.actions import Share
from ollapy.engine.batch import Batch
from ollapy.engine.matching import Reuse
from ollapy.engine.media import placeholders
from ollapy.engine.prefix_tree import PrefixTree
from ollapy.engine.scheduler import Scheduler
from ollapy.engine.sequence import Sequence
from tests.support.cells import Cells, Picture

ids = itertools.count()


def sequence(*tokens: int, limit: int = 64) -> Sequence:
    return Sequence(next(ids), list(tokens), SamplingParams(), limit)


def prompt(length: int, *, limit: int = 64) -> Sequence:
    """A sequence like no other."""
    first = 1000 * next(ids)
    return sequence(*range(first, first + length), limit=limit)


def sampled_in(batch: Batch) -> list[Sequence]:
    """Whose next token comes of the batch."""
    return [one for one, position in batch.rows if position == len(one.tokens) - 1]


def picturing(*parts: int | Picture, limit: int = 64) -> Sequence:
    """A sequence that has pictures among its tokens."""
    tokens: list[int] = []
    media = {}
    for part in parts:
        if isinstance(part, Picture):
            media[len(tokens)] = part
        tokens += placeholders(part) if isinstance(part, Picture) else [part]
    one = sequence(*tokens, limit=limit)
    one.media = dict(media)
    return one


def said(sequence: Sequence) -> int:
    """The token that a sequence always says, which nobody else does."""
    return 1_000_000 + sequence.id


class Turns:
    """A scheduler, the cells it governs, and a clock that counts its turns."""

    def __init__(
        self,
        *,
        num_cells: int = 64,
        num_slots: int = 4,
        max_batch: int = 16,
        reuse: Reuse = Reuse.ANYWHERE,
        max_idle: int = 1000,
        max_running: int = 0,
    ) -> None:
        self.tree = PrefixTree(num_cells=num_cells, num_slots=num_slots, reuse=reuse)
        self.scheduler = Scheduler(
            self.tree,
            max_batch=max_batch,
            max_outputs=num_slots,
            max_idle=max_idle,
            max_running=max_running,
        )
        self.cells = Cells(num_cells)
        self.max_alone = max_batch
        self.now = 0.0

    def step(self, *, max_prompt: int = 2, is_aborted: bool = False) -> Batch:
        """One turn: everything scheduled is computed, and each sampled sequence gets a token of its own."""
        self.now += 1.0
        batch = self.scheduler.schedule(
            now=self.now, max_prompt=max_prompt, max_alone=self.max_alone
        )
        self.cells.act(batch.actions)
        self.cells.compute(batch)
        if is_aborted:
            self.scheduler.rewind(batch)
            self.cells.act(self.scheduler.take_actions())
            self.scheduler.check()
            return batch
        for one in self.scheduler.commit(batch):
            assert one.slot is not None
            self.scheduler.keep(one, self.cells.state(one.slot), self.now)
        self.check(batch)
        for sampled in sampled_in(batch):
            sampled.tokens.append(said(sampled))
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
        (len(batch.tokens), len(batch.rows))
        for batch in (turns.step() for _ in range(4))
    ]
    assert sizes == [(16, 0), (16, 0), (8, 1), (1, 1)]


def test_forced_tokens_of_all_and_no_cell_left() -> None:
    """Nobody was promised cells for them, so one gives up its own for the other to go on."""
    turns, both = Turns(num_cells=40), [prompt(10), prompt(10)]
    turns.add(*both)
    while not all(one.is_generating for one in both):
        turns.step()
    for one in both:
        one.tokens += range(5000, 5025)
    first = both[0]
    while not first.is_generating:
        assert turns.step().tokens
    assert turns.scheduler.num_preemptions == 1


def test_a_long_prompt_does_not_stop_a_sequence_that_generates() -> None:
    """While one generates, another's prompt comes in pieces as small as asked, and the first is in every batch."""
    turns, generating, newcomer = Turns(), prompt(3), prompt(40)
    turns.add(generating)
    turns.step()
    turns.add(newcomer)
    batches = [turns.step(max_prompt=5) for _ in range(8)]

    assert all(generating in dict(batch.rows) for batch in batches)
    assert [len(batch.tokens) for batch in batches] == [6] * 7 + [6]
    assert newcomer.num_pending == 1


def test_the_shorter_prompt_goes_first_and_nobody_starves() -> None:
    turns = Turns(num_cells=4000, max_batch=4)
    long, short = prompt(600, limit=3000), prompt(8, limit=3000)
    long.arrived_at = short.arrived_at = 0.0
    turns.add(long)
    turns.step()
    turns.add(short)
    turns.step()
    turns.step()
    assert (long.num_computed, short.num_generated) == (4, 1)

    for _ in range(300):
        turns.step(max_prompt=4)
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


def test_no_more_run_than_may_and_what_others_computed_is_kept_all_the_same() -> None:
    turns = Turns(max_running=1)
    first, second, third = (prompt(3) for _ in range(3))
    turns.add(first, second)
    turns.step()
    assert [s.slot is None for s in (first, second)] == [False, True]
    assert turns.scheduler.demand.longest == len(first.tokens)

    turns.remove(first)
    turns.add(third)
    turns.step()
    assert [s.slot is None for s in (second, third)] == [False, True]
    assert turns.tree.num_used > turns.tree.num_pinned


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

    assert (second.num_cached, batch.tokens) == (3, [said(first), 9])
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
    turns = Turns(reuse=Reuse.NOWHERE)
    for _ in range(3):
        one = sequence(1, 2, 3, 4)
        turns.add(one)
        assert len(turns.step().tokens) == 4
        turns.remove(one)
    assert turns.tree.num_used == 0


def test_interactive_prompts_are_read_before_background_ones() -> None:
    turns = Turns(num_cells=400, max_batch=10)
    background, interactive = prompt(20, limit=100), prompt(60, limit=100)
    background.is_background = True
    for one in (background, interactive):
        one.arrived_at = 0.0
        turns.add(one)
    for _ in range(6):
        turns.step()

    assert interactive.num_generated == 1
    assert background.num_computed == 0


def test_background_work_does_not_starve() -> None:
    """It counts as having come half a minute later, not as coming last for ever."""
    turns = Turns(num_cells=4000, num_slots=16, max_batch=10)
    background = prompt(30, limit=100)
    background.is_background, background.arrived_at = True, 0.0
    turns.add(background)
    while not background.num_generated:
        newcomer = prompt(10, limit=100)
        newcomer.arrived_at = turns.now
        turns.add(newcomer)
        turns.step()
        assert turns.now < 100
        if newcomer.num_generated:
            turns.remove(newcomer)

    assert turns.now > 30, "while it was young the others went first"


def test_background_work_gives_its_place_to_an_interactive_request() -> None:
    turns = Turns(num_slots=1)
    background, interactive = prompt(10), prompt(10)
    background.is_background = True
    background.arrived_at = interactive.arrived_at = 0.0
    turns.add(background)
    turns.step()
    turns.step()
    said = list(background.tokens)
    turns.add(interactive)
    turns.step()
    assert (background.slot, interactive.num_generated) == (None, 1)
    assert background.num_preemptions == 1

    turns.remove(interactive)
    turns.step()
    assert background.tokens[: len(said)] == said
    assert background.num_generated == 3


def test_interactive_requests_do_not_give_way() -> None:
    turns = Turns(num_slots=1)
    first, second = prompt(10), prompt(10)
    turns.add(first, second)
    turns.step()

    assert second.slot is None
    assert turns.scheduler.num_preemptions == 0


def test_a_full_context_shifts_and_goes_on() -> None:
    """Half of what follows the tokens to keep is dropped, and what is left is computed anew."""
    turns, one = Turns(), prompt(10, limit=20)
    one.num_keep = 4
    turns.add(one)
    beginning = one.tokens[:4]
    while len(one.tokens) < 20:
        turns.step()
    generated = one.num_generated
    turns.scheduler.shift(one, turns.now)
    assert (len(one.tokens), one.num_shifted) == (12, 8)
    assert (one.tokens[:4], one.num_generated) == (beginning, generated)

    batch = turns.step()
    assert batch.tokens == one.tokens[4:-1], "the tokens kept are resident still"


def test_rows_for_a_scored_prompt_are_never_more_than_there_are() -> None:
    turns = Turns(num_slots=4, num_cells=200)
    scored = Sequence(next(ids), list(range(30)), SamplingParams(prompt_logprobs=0), 64)
    others = [prompt(5), prompt(5)]
    turns.add(*others, scored)
    positions = []
    while not scored.num_generated:
        batch = turns.step()
        assert len(batch.rows) <= 4
        positions += [position for one, position in batch.rows if one is scored]

    assert positions == list(range(30))


PICTURES: dict[str, list[Picture]] = {
    "texts": [],
    "pictures": [Picture(1, 4, 4), Picture(2, 3, 3), Picture(3, 4, 4)],
    "in a grid": [Picture(1, 4, 2), Picture(2, 6, 3), Picture(3, 4, 2)],
    "in no order": [Picture(1, 4, 4, is_causal=False), Picture(2, 3, 3, is_causal=False)],
}  # fmt: skip


@pytest.mark.parametrize("reuse", [Reuse.ANYWHERE, Reuse.CHECKPOINT])
@pytest.mark.parametrize("num_positions", [4, 2], ids=["in a row", "in a grid"])
def test_nobody_goes_on_from_the_middle_of_a_picture(
    reuse: Reuse, num_positions: int
) -> None:
    turns = Turns(num_slots=1, max_batch=3, reuse=reuse)
    turns.cells.has_grid = num_positions < 4
    picture = Picture(1, 4, num_positions)
    left, other = (picturing(1, 2, picture, 3, end) for end in (4, 5))
    turns.add(left)
    turns.step()
    turns.step(max_prompt=1)
    assert 2 < left.num_computed < 6
    turns.remove(left)
    turns.add(other)
    while other.num_pending > 1:
        turns.step()

    assert other.num_cached == (2 if reuse is Reuse.ANYWHERE else 0)


def test_the_last_idle_slot_is_taken_over_though_another_begins_alike() -> None:
    turns, picture = Turns(num_slots=2), Picture(1, 4, 4)
    running, left, third = sequence(1, 3, 4), picturing(1, picture, 2), picturing(1, picture)  # fmt: skip
    turns.add(running, left)  # at once, so that each has cells of its own
    while left.num_pending > 1:
        turns.step(max_prompt=8)
    turns.remove(left)
    turns.add(third)
    turns.step()

    assert third.num_cached == 1


@pytest.mark.parametrize("pictures", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("reuse", Reuse)
@pytest.mark.parametrize("seed", range(20))
def test_a_random_storm(
    seed: int, reuse: Reuse, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining, sharing, leaving, eviction, preemption, rewinding and shifts in any order.

    After every turn each slot holds just the tokens of its sequence, the tree's count of cells is the
    memory's, and in the end everyone has been answered.
    """
    monkeypatch.setattr(checkpoints, "_LEAST", 1)
    monkeypatch.setattr(checkpoints, "_TAIL", 2)
    rng = random.Random(seed)
    turns = Turns(
        num_cells=rng.randint(24, 90),
        num_slots=rng.randint(1, 6),
        max_batch=rng.choice([4, 16]),
        reuse=reuse,
    )
    turns.cells.has_grid = any(p.num_positions < p.num_tokens for p in pictures)

    def part() -> int | Picture:
        wanted = pictures and rng.random() < 0.15
        return rng.choice(pictures) if wanted else rng.randint(1, 3)

    pace = rng.choice([0.0, 1e-4, 1e-3, 1e-2])  # seconds from turn to turn
    stems = [[part() for _ in range(rng.randint(0, 12))] for _ in range(4)]
    alive: list[Sequence] = []
    for turn in itertools.count():
        if turn < 80 and rng.random() < 0.4:
            tail = [part() for _ in range(rng.randint(1, 6))]
            one = picturing(*rng.choice(stems), *tail, limit=24)
            if len(one.tokens) >= one.limit:
                continue
            one.arrived_at = turn * pace
            one.is_background = rng.random() < 0.3
            one.num_keep = rng.choice([None, None, 2])
            alive.append(one)
            turns.add(one)
        turns.step(max_prompt=rng.choice([1, 4]), is_aborted=rng.random() < 0.03)
        for one in list(alive):
            is_full = len(one.tokens) >= one.limit
            if is_full and one.num_keep and one.num_shifted < 24:
                turns.scheduler.shift(one, turns.now)
            elif is_full or rng.random() < 0.03:
                turns.remove(one)
                alive.remove(one)
        if turn > 80 and not alive:
            return
        assert turn < 3000, f"{turns.scheduler} makes no progress"


ADAPTED = (Adapter("a", "/a", 1),)


def adapted(one: Sequence, adapters: AdapterSet = ADAPTED) -> Sequence:
    one.adapters = adapters
    return one


def test_a_batch_has_one_set_of_adapters() -> None:
    turns = Turns()
    plain, other = sequence(1, 2, 3), adapted(sequence(1, 2, 3))
    turns.scheduler.add(plain)
    turns.scheduler.add(other)

    for _ in range(6):
        batch = turns.step()
        (only,) = {one.id for one, _ in batch.parts}
        assert batch.adapters == (ADAPTED if only == other.id else ())
    assert min(len(plain.tokens), len(other.tokens)) >= 5


def test_cells_of_other_adapters_are_not_shared() -> None:
    """Neither of one who runs nor of one who has gone, nor is their prompt waited for."""
    turns = Turns(num_cells=200, max_batch=64)
    cached = []
    for adapters in ((), ADAPTED, ADAPTED, ()):
        one = adapted(sequence(*range(20)), adapters)
        turns.scheduler.add(one)
        turns.step()
        turns.scheduler.remove(one, turns.now)
        cached.append(one.num_cached)

    assert cached == [0, 0, 19, 19]


def test_nobody_waits_for_a_prompt_that_is_read_with_other_adapters() -> None:
    turns = Turns(num_cells=200, max_batch=64)
    long = prompt(40)
    other = adapted(sequence(*long.tokens))
    turns.scheduler.add(long)
    turns.max_alone = 4
    turns.step()
    turns.scheduler.add(other)
    turns.step()

    assert other.slot is not None
    assert other.num_cached == 0


@pytest.mark.parametrize("reuse", list(Reuse))
def test_a_storm_of_sets(reuse: Reuse) -> None:
    """Prompts that begin alike in three sets, in a crowded pool: whatever is shared holds what its set computed."""
    dice = random.Random(7)
    turns = Turns(num_cells=60, num_slots=4, reuse=reuse)
    sets: list[AdapterSet] = [(), ADAPTED, (Adapter("b", "/b", 1),)]
    running: list[Sequence] = []
    for _ in range(300):
        if len(running) < 8 and dice.random() < 0.5:
            begin = dice.choice(([1, 2, 3, 4], [1, 2, 9, 9, 9]))
            one = adapted(
                sequence(*begin, dice.randrange(3), limit=30), dice.choice(sets)
            )
            turns.scheduler.add(one)
            running.append(one)
        batch = turns.step(max_prompt=4)
        for part, _ in batch.parts:
            assert part.adapters == batch.adapters
        for one in [one for one in running if len(one.tokens) >= 14]:
            turns.scheduler.remove(one, turns.now)
            running.remove(one)
    assert all(len(one.tokens) < 14 for one in running)
