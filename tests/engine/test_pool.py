"""When a pool should grow, how far, and when not to ask again."""

from __future__ import annotations

import pytest

from ollapy.engine.pool import Demand, Pool, Wish


def wish(
    pool: Pool, size: int, *, now: float = 0.0, longest: int = 0, **use: int
) -> Wish | None:
    wanted = use.get("wanted", 0)
    return pool.wish(Demand(wanted, longest), size, now)


@pytest.mark.parametrize(
    ("cells", "size"), [(0, 100), (100, 100), (101, 200), (790, 800), (801, 1000)]
)
def test_sizes_are_doublings_as_far_as_there_are(cells: int, size: int) -> None:
    assert Pool(100, 1000).size_for(cells) == size


def test_more_is_asked_for_as_soon_as_there_is_a_use_for_it() -> None:
    pool = Pool(100, 1000)

    assert wish(pool, 100, wanted=100) is None
    assert wish(pool, 100, wanted=101) == Wish(200, 0)
    assert wish(pool, 100, wanted=300) is None, "one question at a time"


def test_nothing_is_asked_for_beyond_the_most_there_is() -> None:
    assert wish(Pool(100, 1000), 1000, wanted=5000, longest=2000) is None
    assert wish(Pool(100, 0), 100, wanted=5000) is None


def test_who_was_refused_waits_unless_somebody_cannot_go_on() -> None:
    pool = Pool(100, 1000)
    assert wish(pool, 100, wanted=150)
    pool.answered(100, now=5.0)

    assert wish(pool, 100, wanted=150, now=14.0) is None
    urgent = wish(pool, 100, longest=150, now=14.0)
    assert urgent
    assert urgent.num_cells == 200
    assert urgent.least > 150
    pool.answered(100, now=14.0)
    assert wish(pool, 100, wanted=150, now=25.0) == Wish(200, 0)


def test_who_got_what_was_asked_for_may_ask_again() -> None:
    pool = Pool(100, 1000)
    assert wish(pool, 100, wanted=150)
    pool.answered(200, now=5.0)

    assert wish(pool, 200, wanted=250, now=5.0) == Wish(400, 0)
