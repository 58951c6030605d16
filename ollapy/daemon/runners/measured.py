"""Measured: what earlier loads of a model really took, beside what was reckoned. Pure but for its small file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from ollapy.api.engine import Buffer
from ollapy.daemon.runners import state_file
from ollapy.daemon.runners.footprint import Footprint, Scale
from ollapy.daemon.runners.placement import Placement
from ollapy.names import Digest
from ollapy.settings import Settings

_FILE = "measured.json"
_MAX_KEPT = 256
_LEAST, _MOST = 0.25, 4.0  # beyond which a file is wrong, not an estimate


class Measured(msgspec.Struct, frozen=True):
    """How many times as much as was reckoned a model took, by what for."""

    loads: list[str]
    cache: float
    compute: float

    @property
    def is_sane(self) -> bool:
        """Whether it can be what somebody measured."""
        return all(_LEAST <= times <= _MOST for times in (self.cache, self.compute))

    @property
    def scale(self) -> Scale:
        """To reckon with."""
        return Scale(self.cache, self.compute)


def scale(settings: Settings, loads: Sequence[Digest]) -> Scale | None:
    """What to reckon with for a model; None where it was never loaded."""
    key = _key(loads)
    return next((m.scale for m in _read(settings) if m.loads == key), None)


def keep(
    settings: Settings,
    loads: Sequence[Digest],
    footprint: Footprint,
    placed: Placement,
    buffers: Iterable[Buffer],
) -> None:
    """Reckon with what was measured from the next load on."""
    found = compared(loads, footprint, placed, list(buffers))
    known = _read(settings)
    if found.is_sane and found not in known:
        others = [m for m in known if m.loads != found.loads]
        state_file.write(settings.state / _FILE, [*others, found][-_MAX_KEPT:])


def compared(
    loads: Sequence[Digest],
    footprint: Footprint,
    placed: Placement,
    buffers: Sequence[Buffer],
) -> Measured:
    """Of one load; what it did not tell of is as it was reckoned."""
    plain = replace(footprint, scale=Scale())
    kept = sum(each.keeps(placed.num_cells, placed.kv_type) for each in plain.layers)
    caches = sum(b.size for b in buffers if b.purpose in ("cache", "state"))
    most = max((b.size for b in buffers if b.purpose == "compute"), default=0)
    compute = plain.compute(placed.num_cells)
    return Measured(_key(loads), _times(caches, kept), _times(most, compute))


def _times(measured: int, reckoned: int) -> float:
    return round(measured / reckoned, 3) if measured and reckoned else 1.0


def _key(loads: Sequence[Digest]) -> list[str]:
    return [str(digest) for digest in loads]


def _read(settings: Settings) -> list[Measured]:
    known = state_file.read(settings.state / _FILE, list[Measured]) or []
    return [measured for measured in known if measured.is_sane]
