"""Where a prompt parts from the nearest one in memory, and for whom it waits."""

from __future__ import annotations

import pytest

from ollapy.api.options import SamplingParams
from ollapy.engine.divergence import Divergence
from ollapy.engine.matching import Reuse
from ollapy.engine.prefix_tree import PrefixTree
from ollapy.engine.scheduler import Scheduler
from ollapy.engine.sequence import Sequence, Wait
from tests.support.cells import Cells

HEAD = [*range(20)]


class Room:
    """A scheduler whose sequences are read to the end of their prompts and then leave."""

    def __init__(self, *, num_cells: int = 512, reuse: Reuse = Reuse.ANYWHERE) -> None:
        self.tree = PrefixTree(num_cells=num_cells, num_slots=8, reuse=reuse)
        self.scheduler = Scheduler(
            self.tree, max_batch=64, max_outputs=8, max_idle=num_cells
        )
        self.cells = Cells(num_cells)
        self.now = 0.0
        self._last = 0

    def come(self, tokens: list[int], *, by: str = "", limit: int = 100) -> Sequence:
        """A sequence that waits for its turn."""
        self._last += 1
        one = Sequence(self._last, [*tokens], SamplingParams(), limit, asked_by=by)
        self.scheduler.add(one)
        return one

    def step(self) -> None:
        """What is scheduled is computed."""
        self.now += 1.0
        batch = self.scheduler.schedule(now=self.now, max_prompt=64, max_alone=64)
        self.cells.act(batch.actions)
        self.cells.compute(batch)
        for one in self.scheduler.commit(batch):
            assert one.slot is not None
            self.scheduler.keep(one, self.cells.state(one.slot), self.now)

    def leave(self, one: Sequence) -> None:
        """It has ended, and what it computed stays."""
        self.scheduler.remove(one, self.now)
        self.cells.act(self.scheduler.take_actions())

    def read(self, tokens: list[int], *, by: str = "") -> Sequence:
        """A sequence comes, is read and leaves."""
        one = self.come(tokens, by=by)
        while one.num_pending or one.slot is None:
            self.step()
        self.leave(one)
        return one


def test_the_first_has_nothing_to_part_from() -> None:
    assert Room().read(HEAD).divergence is None


def test_a_prompt_that_goes_on_where_another_ended_parts_from_nothing() -> None:
    room = Room()
    room.read(HEAD)

    assert room.read([*HEAD, 50, 51]).divergence is None
    assert room.read([*HEAD, 50, 51]).divergence is None


@pytest.mark.parametrize("position", [0, 1, 12, 19])
def test_the_first_token_that_differs_with_what_is_around_it(position: int) -> None:
    room = Room()
    room.read([*HEAD, 90, 91], by="somebody")
    changed = [*HEAD[:position], *range(60, 75)]

    assert room.read(changed).divergence == Divergence(
        position,
        HEAD[max(position - 8, 0) : position],
        [*range(60, 68)],
        [*HEAD, 90, 91][position : position + 8],
        "somebody",
    )


def test_behind_a_prefix_that_two_share_it_parts_from_the_newest() -> None:
    room = Room()
    room.read([*HEAD, *range(30, 40)], by="a")
    room.read([*HEAD, *range(50, 60)], by="b")
    found = room.read([*HEAD, *range(70, 80)], by="c").divergence

    assert found is not None
    assert (found.position, found.cached[0], found.asked_by) == (20, 50, "b")


def test_of_what_was_cut_in_two_each_part_is_still_whose_it_was() -> None:
    room = Room()
    room.read([*HEAD, *range(30, 40)], by="a")
    room.read([*HEAD, *range(50, 60)], by="b")
    first = room.read([*HEAD[:10], 99, 98], by="c").divergence
    later = room.read([*HEAD, 30, 31, 77, 78], by="c").divergence

    assert first is not None
    assert later is not None
    assert (first.position, first.cached, first.asked_by) == (10, HEAD[10:18], "a")
    assert (later.position, later.cached[0], later.asked_by) == (22, 32, "a")


def test_a_model_that_cannot_be_cut_back_parts_later_than_it_goes_on() -> None:
    """It says how much was the same, though less of it could be used."""
    room = Room(reuse=Reuse.CHECKPOINT)
    tokens = [*range(60)]
    room.read(tokens)
    one = room.read([*tokens[:58], 90, 91])

    assert one.divergence is not None
    assert one.divergence.position == 58
    assert one.num_cached is not None
    assert one.num_cached < 58


def test_who_found_no_room_knows_who_had_it() -> None:
    room = Room(num_cells=100)
    big = [room.come([*range(i, i + 40)], limit=100) for i in (1000, 2000)]
    room.step()
    late = [room.come([*range(i, i + 40)]) for i in (3000, 4000)]
    room.step()
    for one in big:
        room.leave(one)
    room.step()

    assert all(one.slot is not None for one in late)
    for one in late:
        assert (one.waited_for, one.wait) == ((1, 2), Wait.ROOM)
    assert big[0].wait is None


def test_who_lets_another_read_the_same_prompt_first_knows_whom() -> None:
    room = Room()
    first = room.come([*range(90)])
    room.step()
    second = room.come([*range(80), 99])
    room.step()
    room.step()

    assert (second.waited_for, second.wait) == ((first.id,), Wait.PROMPT)
    assert second.num_cached == 80
