"""View: a snapshot as lines, as many columns of it as fit. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size

from ollapy.api.loading import LoadState
from ollapy.api.snapshot import ModelState, OperationState, Snapshot
from ollapy.api.status import RequestEntry
from ollapy.text import clean
from ollapy.units import format_bytes, format_relative, parse_time

from .rates import Rates

_GAP = 2


@dataclass(frozen=True, slots=True)
class _Column:
    """A heading, what is under it, and how soon it goes where there is no room: 0 is never."""

    heading: str
    cells: list[str]
    expendable: int = 0

    @property
    def width(self) -> int:
        return max(map(cell_len, [self.heading, *self.cells]))


def lines(snapshot: Snapshot, rates: Rates, width: int) -> Iterator[str]:
    """Head, models, requests, operations, none wider than the terminal."""
    for line in _lines(snapshot, rates, width):
        yield line if cell_len(line) <= width else set_cell_size(line, width)


def _lines(snapshot: Snapshot, rates: Rates, width: int) -> Iterator[str]:
    yield from _head(snapshot)
    now = datetime.now(UTC)
    tables = (
        _models(snapshot.models, rates, now),
        _loading(snapshot.loading),
        _requests(snapshot.requests),
        _operations(snapshot.operations, rates),
    )
    for table in tables:
        if table[0].cells:
            yield ""
            yield from _table(table, width)
    if not snapshot.models and not snapshot.loading:
        yield ""
        yield "No model is loaded."


def _head(snapshot: Snapshot) -> Iterator[str]:
    free, total = map(format_bytes, (snapshot.memory_available, snapshot.memory_total))
    yield f"ollapy {snapshot.version}, up {_span(snapshot.uptime)}"
    yield f"{free} of {total} free"
    count = len(snapshot.requests)
    yield f"{count} {'request' if count == 1 else 'requests'}, {snapshot.waiting} waiting"


def _models(models: Sequence[ModelState], rates: Rates, now: datetime) -> list[_Column]:
    """Of sequences those that run and those that wait, of cells those that are used."""
    return [
        _Column("MODEL", [clean(m.name) for m in models]),
        _Column("SIZE", [format_bytes(m.size) if m.size else "-" for m in models], 4),
        _Column("GPU", [_gpu(m) for m in models], 7),
        _Column("SEQ", [_pair(m, "running", "waiting", "+") for m in models], 3),
        _Column("CELLS", [_pair(m, "used_cells", "cells", "/") for m in models], 5),
        _Column("READ/s", [_rate(rates.read.get(m.name)) for m in models], 2),
        _Column("TOKENS/s", [_rate(rates.generated.get(m.name)) for m in models], 1),
        _Column("UNTIL", [_until(m, now) for m in models], 6),
    ]


def _loading(states: Sequence[LoadState]) -> list[_Column]:
    return [
        _Column("LOADING", [clean(s.name) for s in states]),
        _Column("DONE", [_share(s) for s in states], 1),
        _Column("STATUS", [s.status for s in states], 2),
    ]


def _requests(requests: Sequence[RequestEntry]) -> list[_Column]:
    return [
        _Column("REQUEST", [str(r.id) for r in requests]),
        _Column("KIND", [r.kind for r in requests], 3),
        _Column("MODEL", [clean(r.model or "-") for r in requests], 2),
        _Column("FOR", [_span(r.total_duration / 1e9) for r in requests], 1),
        _Column("STATE", [_state(r) for r in requests], 4),
    ]


def _operations(operations: Sequence[OperationState], rates: Rates) -> list[_Column]:
    return [
        _Column("DOING", [o.kind for o in operations]),
        _Column("MODEL", [clean(o.model) for o in operations], 1),
        _Column("DONE", [_share(o) for o in operations], 2),
        _Column("RATE", [_bytes_rate(rates.arriving.get(o.id)) for o in operations], 3),
        _Column("STATUS", [clean(o.status)[:40] for o in operations], 4),
    ]


def _table(columns: list[_Column], width: int) -> Iterator[str]:
    """The columns that fit side by side, the most expendable left out first."""
    shown = list(columns)
    while sum(c.width + _GAP for c in shown) - _GAP > width and len(shown) > 1:
        shown.remove(max(shown, key=lambda column: column.expendable))
    for row in zip(*([c.heading, *c.cells] for c in shown), strict=True):
        cells = (set_cell_size(cell, c.width + _GAP) for cell, c in zip(row, shown, strict=True))  # fmt: skip
        yield "".join(cells).rstrip()


def _gpu(model: ModelState) -> str:
    """How much of it is there; another engine does not say."""
    return clean(model.engine) or f"{100 * model.size_vram // max(model.size, 1)}%"


def _pair(model: ModelState, one: str, other: str, sign: str) -> str:
    counters = model.counters
    if one not in counters:
        return "-"
    return sign.join(f"{counters[name]:.0f}" for name in (one, other))


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _bytes_rate(value: float | None) -> str:
    return "-" if value is None else f"{format_bytes(int(value))}/s"


def _share(counted: OperationState | LoadState) -> str:
    if not counted.total:
        return "-"
    return (
        f"{100 * counted.completed // counted.total}% of {format_bytes(counted.total)}"
    )


def _until(model: ModelState, now: datetime) -> str:
    return format_relative(parse_time(model.expires_at), now)


def _state(request: RequestEntry) -> str:
    if request.ahead is not None:
        return f"waiting behind {request.ahead}"
    if not request.load_duration:
        return request.loading.status if request.loading else "loading"
    return "answering" if request.first_token_duration else "waiting or reading"


def _span(seconds: float) -> str:
    """`7s`, `12m07s`, `3h05m`, `2d4h`."""
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days}d{hours % 24}h"
    if hours:
        return f"{hours}h{minutes % 60:02}m"
    return f"{minutes}m{whole % 60:02}s" if minutes else f"{whole}s"
