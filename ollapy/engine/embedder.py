"""Embedder: many texts per decode, each its own sequence. Synchronous; on the engine's thread."""

from __future__ import annotations

import numpy as np

from ollapy.errors import RunnerError, Unsupported
from ollapy.llama.adapters import Adapters
from ollapy.llama.context import Aborted, Context, Floats, NoCells
from ollapy.llama.model import Model, Pooling

from .packer import EmbedJob, Pack, Packer, Text

Span = tuple[Text, int, int]  # the tokens of a text from one position to before another


class Embedder:
    """Computes what jobs ask for in a pooled context, which is its own.

    The context has `max_batch` cells more than a text may have tokens, so that whole texts find room
    beside long ones that are read in parts.
    """

    def __init__(
        self, model: Model, context: Context, adapters: Adapters | None = None
    ) -> None:
        self._context = context
        self._adapters = adapters or Adapters(model)
        self._pooling = model.pooling
        self._pools_last = model.pools_last
        part_cells = context.num_cells - context.max_batch
        self.max_input = part_cells if model.is_causal else context.max_batch
        self._packer = Packer(
            num_slots=context.max_sequences,
            part_cells=part_cells if model.is_causal else None,
        )
        # whom the decode under way is for; replaced, never changed
        self._computing: set[int] = set()

    @property
    def has_work(self) -> bool:
        """Whether a step would do something."""
        return bool(self._packer.jobs)

    def add(self, job: EmbedJob) -> None:
        """Queue a job whose inputs have 1 to `max_input` tokens; Unsupported for what the model does not give."""
        assert all(0 < len(tokens) <= self.max_input for tokens in job.inputs)
        if self._pooling is Pooling.RANK and not job.scores:
            raise Unsupported("this model ranks documents and makes no vectors")
        if job.scores and self._pooling is not Pooling.RANK:
            raise Unsupported("this model makes vectors and does not rank documents")
        self._packer.jobs[job.id] = job

    def cancel(self, job_id: int) -> None:
        """Drop a job; one that has ended is fine."""
        self._forget(self._packer.remove(job_id))

    def interrupt(self, job_id: int) -> None:
        """From any thread, before `cancel`: stop the decode under way if it is for that job alone."""
        if self._computing == {job_id}:
            self._context.abort()

    def abort(self) -> None:
        """From any thread: stop the decode under way."""
        self._context.abort()

    def step(self, max_tokens: int) -> list[EmbedJob]:
        """Compute one pack of at most so many tokens, and return the jobs that are done with it.

        A text that must be read whole is computed even if it is longer, and then alone.
        """
        pack = self._packer.pack(min(max_tokens, self._context.max_batch))
        if pack:
            self._compute(pack)
        self._forget(self._packer.settle(pack))
        done = [job for job in self._packer.jobs.values() if job.is_done]
        for job in done:
            del self._packer.jobs[job.id]
        return done

    def check(self) -> None:
        """The packer's invariants."""
        self._packer.check()

    def _compute(self, pack: Pack) -> None:
        self._computing = {text.job.id for text, _ in pack}
        try:
            self._adapters.use(self._context, pack[0][0].job.adapters)
            self._decode(pack)
        except Aborted:
            self._restart(pack)
        except NoCells:
            self._blame(pack, RunnerError("the context memory is full"))
        except RunnerError as exc:
            self._blame(pack, exc)
        else:
            self._deliver(pack)
        finally:
            self._computing = set()

    def _decode(self, pack: Pack) -> None:
        spans = [(t, t.num_computed, t.num_computed + count) for t, count in pack]
        if self._pools_last:
            # llama.cpp takes every token of a pooled batch through the vocabulary's matrix and keeps
            # room for the logits. With only the last ones pooled that is half the time of a small
            # model, and a tenth of the memory.
            self._read([(t, i, min(end, len(t.tokens) - 1)) for t, i, end in spans])
            spans = [(t, end - 1, end) for t, _, end in spans if end == len(t.tokens)]
        self._pool(spans)
        for text, count in pack:
            text.num_computed += count

    def _read(self, spans: list[Span], *, pooled: bool = False) -> None:
        """Compute tokens; those that are not pooled only fill the memory."""
        tokens = [token for text, i, end in spans for token in text.tokens[i:end]]
        if not tokens:
            return
        positions = [position for _, i, end in spans for position in range(i, end)]
        slots = [text.slot for text, i, end in spans for _ in range(i, end)]
        self._context.pool(on=pooled)
        self._context.decode(
            tokens, positions, slots, list(range(len(tokens))) if pooled else []
        )

    def _pool(self, spans: list[Span]) -> None:
        """Compute tokens, and add what they are pooled to to their texts'."""
        self._read(spans, pooled=True)
        vectors = [self._context.embedding(text.slot) for text, _, _ in spans]
        if not all(np.isfinite(vector).all() for vector in vectors):
            raise RunnerError("embedding contains NaN or Inf values")
        for (text, start, end), vector in zip(spans, vectors, strict=True):
            text.pooled = combined(self._pooling, text.pooled, vector, end - start)

    def _deliver(self, pack: Pack) -> None:
        for text, _ in pack:
            if not text.num_pending:
                assert text.pooled is not None
                job = text.job
                job.deliver(
                    text.pooled.tolist()
                    if job.scores
                    else normalized(text.pooled, job.dimensions)
                )

    def _blame(self, pack: Pack, error: RunnerError) -> None:
        """A decode failed: the fault of its job, where it had only one; else each tries again alone."""
        self._restart(pack)
        jobs = {text.job for text, _ in pack}
        for job in jobs:
            job.is_alone = True
            job.error = error if len(jobs) == 1 else None

    def _restart(self, pack: Pack) -> None:
        """What the memory holds is uncertain now: all that it was for is read again from the beginning."""
        for text in (*self._packer.begun.values(), *(text for text, _ in pack)):
            text.restart()
        self._context.clear(wipe=True)

    def _forget(self, slots: list[int]) -> None:
        if slots and not self._packer.begun:  # each removal looks at all cells
            self._context.clear()
            return
        for slot in slots:
            self._context.remove(slot)


def combined(
    pooling: Pooling, so_far: Floats | None, vector: Floats, count: int
) -> Floats:
    """What a text is pooled to with one more part of `count` tokens; a mean has the length of a sum."""
    match pooling:
        case Pooling.MEAN:
            total = vector * count
            return total if so_far is None else so_far + total
        case Pooling.CLS:
            return vector if so_far is None else so_far
        case _:
            return vector


def normalized(vector: Floats, dimensions: int) -> list[float]:
    """The first `dimensions` of a vector (0: all) with Euclidean length 1."""
    cut = vector[: dimensions or None].astype(np.float64)
    unit: list[float] = (
        (cut / max(float(np.linalg.norm(cut)), 1e-12)).astype(np.float32).tolist()
    )
    return unit
