"""Cells: what llama.cpp's unified KV memory would hold after the scheduler's actions and batches."""

from __future__ import annotations

from ollapy.engine.actions import Action, Remove, Share
from ollapy.engine.batch import Batch


class Cells:
    """For each slot its cells by position; a cell is one computed token, and may be in many slots."""

    def __init__(self, num_cells: int) -> None:
        self._num_cells = num_cells
        self._held: dict[int, list[object]] = {}
        self._tokens: dict[int, int] = {}  # by the cell's identity
        self._all: list[object] = []

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
                    del self._held.get(slot, [])[start:]
                case Share(source, target, end, bytes(state)) if source == target:
                    del self._held[target][end:]
                    self._check_state(target, state)
                case Share(source, target, end, state):
                    assert not self._held.get(target), (
                        "a slot is empty before it shares"
                    )
                    assert len(self._held[source]) >= end, (
                        "only what is there can be shared"
                    )
                    self._held[target] = self._held[source][:end]
                    if state is not None:
                        self._check_state(target, state)

    def state(self, slot: int) -> bytes:
        """What a model without cells would remember of a slot: here the tokens themselves."""
        return repr(self.tokens(slot)).encode()

    def _check_state(self, slot: int, state: bytes) -> None:
        assert state == self.state(slot), (
            "a state belongs to the tokens it was taken at"
        )

    def compute(self, batch: Batch) -> None:
        """Decode a batch; positions must follow what their slots hold, as llama.cpp demands."""
        for token, position, slot in zip(
            batch.tokens, batch.positions, batch.slots, strict=True
        ):
            held = self._held.setdefault(slot, [])
            assert position == len(held), "positions have no gaps"
            cell = object()
            self._all.append(cell)  # kept, so that no identity is used twice
            self._tokens[id(cell)] = token
            held.append(cell)
        assert self.num_used <= self._num_cells, "the pool is overdrawn"
