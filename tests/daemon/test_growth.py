"""How large a KV pool may become: what is free decides, and whether somebody needs it."""

from __future__ import annotations

import pytest

from ollapy.daemon.runners.footprint import Footprint
from ollapy.daemon.runners.growth import granted, resized
from ollapy.daemon.runners.layouts import Machine, Wish
from ollapy.daemon.runners.placement import Placement, Placing
from ollapy.daemon.runners.space import Space
from ollapy.gguf import read_header
from ollapy.runner.protocol import Grow
from tests.conftest import TINY

MB = 1024 * 1024
FOOTPRINT = Footprint(read_header(TINY), 64, 512)


@pytest.fixture
def placed() -> Placement:
    """The tiny model, a kilobyte a cell, with a pool of 1024."""
    placing = Placing(FOOTPRINT, Wish(), Machine(), context_length=1024)
    return placing.place(Space(300 * MB))


def beside(placed: Placement, num_cells: int) -> int:
    """Bytes of another context of that size."""
    own = resized(placed, FOOTPRINT, num_cells).taken.host
    none = resized(placed, FOOTPRINT, 0).taken.host
    return own - none + FOOTPRINT.compute(0)


def test_a_pool_gets_what_is_asked_for_where_half_of_what_is_free_is_enough(
    placed: Placement,
) -> None:
    wish, need = Grow(8192, 0), beside(placed, 8192)

    assert placed.num_cells == 1024
    assert granted(placed, FOOTPRINT, wish, Space(2 * need)) == 8192
    assert granted(placed, FOOTPRINT, wish, Space(2 * need - 2)) == 4096
    assert granted(placed, FOOTPRINT, wish, Space(0)) == 1024
    assert granted(placed, FOOTPRINT, wish, Space(-MB)) == 1024


def test_who_cannot_go_on_without_may_have_all_that_is_free(placed: Placement) -> None:
    wish, need = Grow(8192, 5000), beside(placed, 8192)

    assert granted(placed, FOOTPRINT, wish, Space(need)) == 8192
    exactly = beside(placed, 5120)
    assert granted(placed, FOOTPRINT, wish, Space(exactly)) == 5120
    assert granted(placed, FOOTPRINT, wish, Space(exactly - 1)) == 1024


def test_what_a_pool_takes_follows_its_size(placed: Placement) -> None:
    larger = resized(placed, FOOTPRINT, 65536)

    assert larger.num_cells == 65536
    assert larger.taken.host > placed.taken.host + 50 * MB
    assert resized(larger, FOOTPRINT, 1024).taken == placed.taken
