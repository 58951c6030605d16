"""Which texts the next decode takes: order, parts of long ones, slots and cells. No model."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from ollapy.api.adapters import Adapter
from ollapy.engine.packer import EmbedJob, Pack, Packer

_ids = itertools.count()


def job(*lengths: int, **changes: Any) -> EmbedJob:
    """Texts of so many tokens each, wanted by somebody at a time of 0."""
    defaults = {"is_background": False, "arrived_at": 0.0}
    return EmbedJob(
        next(_ids), [[1] * length for length in lengths], **{**defaults, **changes}
    )


def packer(*jobs: EmbedJob, num_slots: int = 8, part_cells: int | None = 100) -> Packer:
    packer = Packer(num_slots=num_slots, part_cells=part_cells)
    packer.jobs = {job.id: job for job in jobs}
    return packer


def taken(pack: Pack) -> list[tuple[int, int]]:
    """The texts of a pack as pairs of their job and the tokens taken."""
    return [(text.job.id, count) for text, count in pack]


def compute(packer: Packer, pack: Pack) -> None:
    """What an embedder does with a pack."""
    for text, count in pack:
        text.num_computed += count
        if not text.num_pending:
            text.job.deliver([float(len(text.tokens))])
    packer.settle(pack)
    packer.jobs = {i: job for i, job in packer.jobs.items() if not job.is_done}
    packer.check()


def steps(packer: Packer, max_tokens: int) -> list[list[tuple[int, int]]]:
    """What each step takes until nothing is left."""
    found = []
    while packer.jobs:
        pack = packer.pack(max_tokens)
        assert pack
        found.append(taken(pack))
        compute(packer, pack)
    return found


def test_the_shortest_job_goes_first() -> None:
    long, short = job(5, 5), job(4)

    assert steps(packer(long, short), 9) == [
        [(short.id, 4), (long.id, 5)],
        [(long.id, 5)],
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (job(90), job(4, is_background=True)),
        (job(90, arrived_at=-1.0), job(4)),
        (job(4, is_background=True, arrived_at=-31.0), job(4)),
        (job(4, arrived_at=-29.0), job(4, is_background=True, arrived_at=-58.0)),
    ],
    ids=["wanted now", "waited", "in the background for long", "the wait counts once"],
)
def test_whose_turn_it_is(first: EmbedJob, second: EmbedJob) -> None:
    pack = packer(second, first).pack(200)

    assert [text.job for text, _ in pack] == [first, second]


def test_a_text_that_fits_a_pack_of_its_own_is_not_cut() -> None:
    one = job(6, 6)

    assert steps(packer(one), 10) == [[(one.id, 6)], [(one.id, 6)]]


def test_a_smaller_text_of_another_fills_what_is_left() -> None:
    first, big, small = job(6), job(8), job(2, 9)

    assert taken(packer(first, big, small).pack(10)) == [(first.id, 6), (small.id, 2)]


def test_a_long_text_is_read_in_parts_beside_whole_ones() -> None:
    long, short = job(25, 3), job(4)

    assert steps(packer(long, short), 10) == [
        [(short.id, 4), (long.id, 6)],
        [(long.id, 10)],
        [(long.id, 9)],
        [(long.id, 3)],
    ]


def test_a_text_that_must_be_whole_goes_alone_if_it_is_longer_than_the_budget() -> None:
    long, short = job(25), job(4)

    assert steps(packer(long, short, part_cells=None), 10) == [
        [(short.id, 4)],
        [(long.id, 25)],
    ]


def test_nobody_overtakes_a_long_text_that_waits_for_cells() -> None:
    begun, waiting = job(60), job(70, arrived_at=1.0)
    late, whole = job(30, arrived_at=2.0), job(5, arrived_at=2.0)
    jobs = packer(begun)
    compute(jobs, jobs.pack(10))
    jobs.jobs |= {job.id: job for job in (waiting, late, whole)}

    pack = jobs.pack(70)

    assert taken(pack) == [(begun.id, 50), (whole.id, 5)]
    compute(jobs, pack)
    assert taken(jobs.pack(20)) == [(waiting.id, 20)]


def test_two_long_texts_share_the_cells_that_are_enough_for_both() -> None:
    one, other = job(30), job(40)
    jobs = packer(one, other)
    compute(jobs, jobs.pack(20))
    compute(jobs, jobs.pack(20))

    assert {text.job: text.num_computed for text in jobs.begun.values()} == {other: 10}


def test_no_more_texts_than_slots() -> None:
    many = job(*[1] * 5)

    assert [len(step) for step in steps(packer(many, num_slots=2), 10)] == [2, 2, 1]


def test_a_removed_job_gives_its_slot_back() -> None:
    long = job(25)
    jobs = packer(long)
    compute(jobs, jobs.pack(10))

    assert jobs.remove(long.id) == [0]
    assert jobs.remove(long.id) == []
    jobs.check()


def test_a_suspect_is_tried_by_itself() -> None:
    calm, suspect = job(2, 2), job(1, 2)
    suspect.is_alone = True

    assert steps(packer(calm, suspect), 5) == [
        [(suspect.id, 1), (suspect.id, 2)],
        [(calm.id, 2), (calm.id, 2)],
    ]


@pytest.mark.parametrize("part_cells", [64, None], ids=["in parts", "whole"])
def test_everybody_is_done_in_the_end(part_cells: int | None) -> None:
    rng = random.Random(0)
    jobs, waiting = packer(part_cells=part_cells), []
    for now in range(400):
        for _ in range(rng.randrange(2)):
            lengths = [rng.randrange(1, 65) for _ in range(rng.randrange(1, 4))]
            arrived = float(now)
            new = job(*lengths, arrived_at=arrived, is_background=rng.random() < 0.5)
            jobs.jobs[new.id] = new
            waiting.append(new)
        if jobs.jobs and rng.random() < 0.1:
            gone = jobs.jobs[rng.choice(list(jobs.jobs))]
            jobs.remove(gone.id)
            waiting.remove(gone)
        for waits in jobs.jobs.values():
            waits.is_alone |= rng.random() < 0.05
        pack = jobs.pack(rng.choice([8, 32, 64]))
        assert bool(pack) is bool(jobs.jobs)
        assert len({text.slot for text, _ in pack}) == len(pack)
        compute(jobs, pack)
    steps(jobs, 64)

    assert all(j.vectors == [[float(len(t))] for t in j.inputs] for j in waiting)
    assert {j.num_pending for j in waiting} == {0}


def test_a_pack_has_one_set_of_adapters() -> None:
    """Those of the job whose turn it is; the others have their turn in the next."""
    adapters = (Adapter("a", "/a", 1),)
    first, other, third = job(2), job(3, adapters=adapters), job(4)

    assert steps(packer(first, other, third), 9) == [
        [(first.id, 2), (third.id, 4)],
        [(other.id, 3)],
    ]
