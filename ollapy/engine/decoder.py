"""Decoder: has llama.cpp do what the scheduler decides. On the engine's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ollapy.llama.context import Context
from ollapy.llama.states import fork

from .actions import Action, Keep, Remove, Share
from .batch import Batch
from .encodings import Encodings
from .path import Path
from .stats import Counters


class Decoder:
    """One context, and what pictures and sounds were made into."""

    def __init__(self, context: Context, counters: Counters) -> None:
        self._context = context
        self._counters = counters
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

    def decode(self, batch: Batch) -> None:
        """Compute a batch."""
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
