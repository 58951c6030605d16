"""Cells: what llama.cpp's unified KV memory would hold after the scheduler's actions and batches."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from ollapy.engine.actions import Action, Remove, Share
from ollapy.engine.batch import Batch
from ollapy.engine.media import Positions


@dataclass(frozen=True)
class Picture:
    """A chunk of so many cells; with fewer positions than those all are where it begins."""

    key: int
    num_tokens: int
    num_positions: int
    is_causal: bool = True

    def positions(self, start: int) -> Positions:
        if self.num_positions < self.num_tokens:
            return np.full((4, self.num_tokens), start, np.int32)
        return np.arange(start, start + self.num_tokens, dtype=np.int32)[np.newaxis]

    def encode(self) -> object:
        raise NotImplementedError  # there is no model


class Cells:
    """For each slot its cells by position; a cell is one computed token, and may be in many slots."""

    def __init__(self, num_cells: int) -> None:
        self._num_cells = num_cells
        self._held: dict[int, list[object]] = {}
        self._tokens: dict[int, int] = {}  # by the cell's identity
        self._places: dict[int, int] = {}  # positions, likewise
        self._all: list[object] = []
        self.has_grid = False  # whether positions have rows and columns

    @property
    def num_used(self) -> int:
        """Distinct cells that some slot holds."""
        return len({id(cell) for cells in self._held.values() for cell in cells})

    def tokens(self, slot: int) -> list[int]:
        """The tokens whose cells a slot holds, in order of position."""
        return [self._tokens[id(cell)] for cell in self._held.get(slot, [])]

    def act(self, actions: list[Action]) -> None:
        """Do what the scheduler says, as llama.cpp would."""
        for action in actions:
            match action:
                case Remove(slot, start):
                    del self._held.get(slot, [])[self._count(slot, start) :]
                case Share(source, target, end, bytes(state)) if source == target:
                    del self._held[target][self._count(target, end) :]
                    self._check_state(target, state)
                case Share(source, target, end, state):
                    assert not self._held.get(target), (
                        "a slot is empty before it shares"
                    )
                    count = self._count(source, end)
                    self._held[target] = self._held[source][:count]
                    if state is not None:
                        self._check_state(target, state)

    def _count(self, slot: int, end: int) -> int:
        """Of a slot's cells those at positions before `end`."""
        places = [self._places[id(cell)] for cell in self._held.get(slot, [])]
        return bisect_left(places, end)

    def state(self, slot: int) -> bytes:
        """What a model without cells would remember of a slot: here the tokens themselves."""
        return repr(self.tokens(slot)).encode()

    def _check_state(self, slot: int, state: bytes) -> None:
        assert state == self.state(slot), (
            "a state belongs to the tokens it was taken at"
        )

    def compute(self, batch: Batch) -> None:
        """Decode a batch; positions must follow what their slots hold, as llama.cpp demands."""
        places = batch.positions
        if excerpt := batch.excerpt:
            chosen = slice(excerpt.offset, excerpt.offset + excerpt.count)
            found = excerpt.chunk.positions(excerpt.position)[0]
            assert excerpt.chunk.is_causal or len(batch.tokens) == len(found)
            places = found[chosen].tolist()
        for token, position, slot in zip(
            batch.tokens, places, batch.slots, strict=True
        ):
            held = self._held.setdefault(slot, [])
            last = self._places[id(held[-1])] if held else -1
            if token >= 0 or not self.has_grid:
                assert position > last, "a token comes after what there is"
            assert position == last + 1 or self.has_grid, "positions have no gaps"
            cell = object()
            self._all.append(cell)  # kept, so that no identity is used twice
            self._tokens[id(cell)], self._places[id(cell)] = token, position
            held.append(cell)
        assert self.num_used <= self._num_cells, "the pool is overdrawn"
