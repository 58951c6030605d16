"""Placement: what memory a model gets and where, from its footprint and what is free. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from ollapy.daemon.runners.footprint import KV_TYPES, MAX_BATCH, Footprint, Scale
from ollapy.daemon.runners.layout import Layout
from ollapy.daemon.runners.layouts import Layouts, Machine, Wish
from ollapy.daemon.runners.pool_size import MIN_CONTEXT, PoolSize
from ollapy.daemon.runners.space import Space
from ollapy.errors import LoadFailed
from ollapy.gguf import Header
from ollapy.units import format_bytes

MAX_SEQUENCES = 64  # that run together, or whose tokens are kept for later
_MAX_STATES = 16  # sequences of a model that keeps a state or a window for each
_GOOD_CONTEXT = 8192  # others leave for that much, not for more
_SMALL_WEIGHTS = 32 * 1024 * 1024
_TIGHT = 5  # less than this part of what is free is left
_PLAIN, _SMALLER = KV_TYPES[:2]


class Goal(IntEnum):
    """How well a model is to be placed, the best first."""

    ACCELERATED = (
        0  # all layers on accelerators, with a context that most can live with
    )
    GOOD = 1  # with such a context, wherever the layers are
    LEAST = 2  # with a short one


@dataclass(frozen=True, slots=True)
class Placement:
    """The KV pool of a model, the context of a request that names none, and the largest batch, in tokens.

    The pool may grow to `max_cells`. `taken` are the bytes that it will have where; `notes` what the user should know of it.
    """

    num_cells: int
    num_ctx: int
    num_batch: int
    kv_type: str
    layout: Layout
    taken: Space
    notes: tuple[str, ...] = ()
    max_cells: int = 0

    def is_tight(self, free: Space) -> bool:
        """Whether so little of what is free is left somewhere that an estimate is not enough."""
        rest = free - self.taken
        return rest.host * _TIGHT < free.host or any(
            rest.of(name) * _TIGHT < free.of(name) for name in self.taken.devices
        )

    @property
    def is_plain(self) -> bool:
        """Whether there is no simpler way to load the model."""
        return not self.layout.counts and self.kv_type == _PLAIN


@dataclass(frozen=True, slots=True)
class Placing:
    """One model to be placed. `context_length` 0 leaves the context to the model and the memory, `kv_type` "" its type.

    One that `is_short` gets a short context that does not grow: more was too much for the machine.
    """

    footprint: Footprint
    wish: Wish
    machine: Machine
    context_length: int = 0
    kv_type: str = ""
    is_short: bool = False

    def place(self, free: Space) -> Placement:
        """The best that fits; LoadFailed, with the numbers, when not even a short context does."""
        for goal in (Goal.LEAST,) if self.is_short else Goal:
            for kv_type in self._kv_types:
                if layout := self._layout(goal, kv_type, free):
                    return self._placed(goal, kv_type, layout, free)
        raise LoadFailed(self._refusal(free))

    def is_unsure(self, placed: Placement, free: Space) -> bool:
        """Whether to ask llama.cpp what the placement really takes: a model that was never loaded, and little is left."""
        is_new = self.footprint.scale == Scale()
        is_embedding = self.footprint.header.is_embedding
        return is_new and not is_embedding and placed.is_tight(free)

    def simpler(self, free: Space, quarters: int) -> Placement | None:
        """With a plain cache, and so many quarters of what is free on accelerators; None where that is too little."""
        devices = {n: size * quarters // 4 for n, size in free.devices.items()}
        plain = replace(self, kv_type=_PLAIN)
        try:
            return plain.place(Space(free.host, devices if quarters else {}))
        except LoadFailed:
            return None

    def reaches(self, goal: Goal, free: Space) -> bool:
        """Whether so much memory is enough for that: others leave before a cache is kept smaller for a better goal."""
        kv_types = self._kv_types if goal is Goal.LEAST else self._kv_types[:1]
        return any(self._layout(goal, kv_type, free) for kv_type in kv_types)

    @property
    def _kv_types(self) -> tuple[str, ...]:
        """To try in this order."""
        if not self.footprint.can_quantize_cache:
            return (_PLAIN,)
        return (self.kv_type,) if self.kv_type else (_PLAIN, _SMALLER)

    @property
    def _size(self) -> PoolSize:
        return PoolSize(self.footprint, self.context_length, self.is_short)

    def _cells(self, goal: Goal) -> int:
        return self._size.least(MIN_CONTEXT if goal is Goal.LEAST else _GOOD_CONTEXT)

    def _layout(self, goal: Goal, kv_type: str, free: Space) -> Layout | None:
        layouts = Layouts(
            self.footprint, free, self.machine, self.wish, self._cells(goal), kv_type
        )
        return layouts.full() if goal is Goal.ACCELERATED else layouts.best()

    def _placed(
        self, goal: Goal, kv_type: str, layout: Layout, free: Space
    ) -> Placement:
        size, least = self._size, self._cells(goal)
        ample = size.ample(layout, kv_type, free, least)
        cells = size.first(ample, least)
        return Placement(
            num_cells=cells,
            max_cells=size.most(ample, cells),
            num_ctx=size.context(ample),
            num_batch=min(MAX_BATCH, cells),
            kv_type=kv_type,
            layout=layout,
            taken=layout.takes(self.footprint, cells, kv_type),
            notes=tuple(self._notes(kv_type, layout, free)),
        )

    def _notes(self, kv_type: str, layout: Layout, free: Space) -> Iterator[str]:
        if self.is_short:
            yield (
                "its runner was ended as memory ran out, so the context is short: close other programs, and load it "
                "again in ten minutes"
            )
        if kv_type != _PLAIN and not self.kv_type:
            yield (
                f"keys and values are kept as {kv_type}, without which the model would not fit as well: "
                f"OLLAPY_KV_CACHE_TYPE={_PLAIN} says otherwise"
            )
        if self.kv_type not in ("", kv_type):
            yield (
                f"keys and values are kept as {kv_type}: those of this model cannot be kept as {self.kv_type}"
            )
        most = self.footprint.num_layers
        asked = self.wish.num_layers
        wanted = most if asked is None else min(asked, most)
        if not free.devices:
            if asked:
                yield "num_gpu has no effect: there is no accelerator that may be used"
        elif layout.num_offloaded < wanted:
            spare = ", ".join(f"{format_bytes(s)} on {n}" for n, s in free.devices.items())  # fmt: skip
            yield (
                f"{layout.num_offloaded} of {most} layers are on an accelerator, there is room for no more ({spare}), "
                "and the processor computes the rest slowly: close what else uses it, or choose a smaller quantisation"
            )

    def _refusal(self, free: Space) -> str:
        kv_type = self._kv_types[-1]
        cells = self._cells(Goal.LEAST)
        need = Layout({}).takes(self.footprint, cells, kv_type).host
        spare = "".join(
            f" and {format_bytes(max(size, 0))} on {name}"
            for name, size in free.devices.items()
            if name not in self.machine.shared
        )
        return (
            f"the model needs {format_bytes(need)} of memory and {format_bytes(max(free.host, 0))}{spare} can be had: "
            "close other programs, raise OLLAPY_MAX_MEMORY or a container's limit if there is one, or choose a smaller quantisation"
        )


def footprint(header: Header, beside: int, scale: Scale) -> Footprint:
    """Of a model that runs as many sequences at once as are worth holding."""
    keeps = header.count("attention.sliding_window") or 0 in header.kv_heads
    sequences = _MAX_STATES if keeps else MAX_SEQUENCES
    return Footprint(header, sequences, MAX_BATCH, beside, scale)


def num_layers(header: Header, num_gpu: int | None, *, is_named: bool) -> int | None:
    """Layers for accelerators, None for all that fit: as `num_gpu` says, negative for all.

    Without it a very small model stays with the processor unless `is_named`, that is, somebody chose accelerators:
    it has answered there before an accelerator is ready.
    """
    if num_gpu is not None:
        return num_gpu if num_gpu >= 0 else None
    return 0 if header.weights_bytes < _SMALL_WEIGHTS and not is_named else None


def num_threads(header: Header, num_cores: int) -> int:
    """Threads to compute with. Where a token takes a millisecond, meeting at barriers takes longer than it saves."""
    return 1 if header.weights_bytes < _SMALL_WEIGHTS else num_cores
