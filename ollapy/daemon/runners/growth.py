"""Growth: how large a loaded model's KV pool may become, from its placement and what is free. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ollapy.daemon.runners.footprint import CELLS, Footprint, padded
from ollapy.daemon.runners.placement import Placement
from ollapy.daemon.runners.space import Space
from ollapy.runner.protocol import Grow

# Of what is free a pool may have one part of so many, while nobody needs it more.
_SHARE = 2


def granted(placed: Placement, footprint: Footprint, wish: Grow, free: Space) -> int:
    """Cells that a pool gets, no more than it has where there is no room for more.

    The larger pool is made beside the smaller, which is then freed.
    """
    least = max(placed.num_cells, wish.least)
    room = free if wish.least else free // _SHARE
    sizes = (n for n in _sizes(wish.num_cells, least) if n >= placed.num_cells + CELLS)
    fitting = (n for n in sizes if room.holds(_beside(placed, footprint, n)))
    return next(fitting, placed.num_cells)


def resized(placed: Placement, footprint: Footprint, num_cells: int) -> Placement:
    """The placement with a pool of that size."""
    taken = placed.layout.takes(footprint, num_cells, placed.kv_type)
    return replace(placed, num_cells=num_cells, taken=taken)


def _sizes(most: int, least: int) -> Iterator[int]:
    """To try in this order: halvings, and what is just enough."""
    while most > least:
        yield most
        most //= 2
    yield padded(least)


def _beside(placed: Placement, footprint: Footprint, num_cells: int) -> Space:
    """What another context of the model takes."""
    layout, kv_type = placed.layout, placed.kv_type
    own = layout.takes(footprint, num_cells, kv_type)
    weights = layout.takes(footprint, 0, kv_type)
    compute = footprint.compute(0)
    buffers = Space(compute, dict.fromkeys(own.devices, compute))
    return own - weights + buffers
