"""Decoder: has llama.cpp do what the scheduler decides. On the engine's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ollapy.grammar.constraint import Masks
from ollapy.llama.adapters import Adapters
from ollapy.llama.context import Context
from ollapy.llama.states import fork

from .actions import Action, Keep, Remove, Share
from .batch import Batch
from .encodings import Encodings
from .pace import Pace
from .path import Path
from .stats import Counters


class Decoder:
    """One context, the adapters that it computes with, and what pictures and sounds were made into.

    How long a batch took is told to `pace` and `counters`.
    """

    def __init__(
        self, context: Context, adapters: Adapters, pace: Pace, counters: Counters
    ) -> None:
        self._context = context
        self._adapters = adapters
        self._pace = pace
        self._counters = counters
        self._masks = Masks(context.model.vocabulary.num_tokens)
        # whom the decode under way is for; replaced, never changed
        self._computing: set[int] = set()
        self.encodings = Encodings()
        # what becomes of a slot's path before its cells go
        self.keep: Callable[[int, Path], None] = _forget

    def act(self, actions: Iterable[Action]) -> None:
        """Do what is to be done in the model's memory before a batch."""
        for action in actions:
            match action:
                case Remove(slot, start, end):
                    self._context.remove(slot, start, end)
                case Share(source, target, end, None):
                    self._context.share(source, target, end)
                case Share(source, target, end, bytes(state)):
                    fork(self._context, source, target, end, state)
                case Keep(slot, path):
                    self.keep(slot, path)

    def interrupt(self, sequence_id: int) -> None:
        """From any thread: stop the decode under way if it is for that sequence alone."""
        if self._computing == {sequence_id}:
            self._context.abort()

    def close(self) -> None:
        """End its threads."""
        self._masks.close()
        self.encodings.close()

    def decode(self, batch: Batch) -> None:
        """Compute a batch, and beside it what its next tokens are held to."""
        self._computing = {sequence.id for sequence, _ in batch.parts}
        has_switched = self._adapters.use(self._context, batch.adapters)
        self._counters.switches += has_switched
        started = time.perf_counter()
        try:
            with self._masks.computing(batch.constraints):
                self._compute(batch)
        finally:
            self._computing = set()
        seconds = time.perf_counter() - started
        self._counters.decode_seconds += seconds
        if not has_switched:  # which is no batch of its size
            self._pace.record(len(batch.tokens), seconds)

    def _compute(self, batch: Batch) -> None:
        if batch.excerpt:
            self._counters.encoded = self.encodings.num_encoded
            self._counters.encode_seconds = self.encodings.seconds
            rows, positions = self.encodings.excerpt(batch.excerpt)
            causal = batch.excerpt.chunk.is_causal
            self._context.decode_rows(
                rows, positions, batch.slots[0], batch.outputs, causal=causal
            )
            return
        self._encode(batch)
        self._context.decode(batch.tokens, batch.positions, batch.slots, batch.outputs)

    def _encode(self, batch: Batch) -> None:
        """What a decoder's first tokens look at; llama.cpp keeps it for one sequence at a time."""
        for sequence, _ in batch.parts:
            if sequence.encoder_tokens and not sequence.num_computed:
                self._context.encode(sequence.encoder_tokens)


def _forget(_slot: int, _path: Path) -> None:
    """What is not in memory is nowhere."""
