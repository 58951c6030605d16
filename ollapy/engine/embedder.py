"""Embedder: many texts per decode, each its own sequence. Synchronous; on the engine's thread."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from ollapy.errors import OllapyError, RunnerError
from ollapy.llama.context import Context, Floats


@dataclass(slots=True, eq=False)
class EmbedJob:
    """The texts of one request as tokens, and their vectors as they come; `dimensions` 0 keeps all."""

    id: int
    inputs: list[list[int]]
    dimensions: int
    vectors: list[list[float]] = field(default_factory=list)
    error: OllapyError | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come."""
        return self.error is not None or len(self.vectors) == len(self.inputs)


class Embedder:
    """Packs the texts of all jobs, oldest first, into decodes of a pooled context."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._jobs: deque[EmbedJob] = deque()

    @property
    def has_work(self) -> bool:
        """Whether a step would do something."""
        return bool(self._jobs)

    def add(self, job: EmbedJob) -> None:
        """Queue a job; each input has at least one token and fits a batch."""
        self._jobs.append(job)

    def cancel(self, job_id: int) -> None:
        """Drop a job; one that has ended is fine."""
        self._jobs = deque(job for job in self._jobs if job.id != job_id)

    def step(self) -> list[EmbedJob]:
        """Compute one pack and return the jobs that are done with it."""
        pack = self._pack()
        try:
            self._compute(pack)
        except OllapyError as exc:
            for job, _ in pack:
                job.error = exc
        done = [job for job in self._jobs if job.is_done]
        self._jobs = deque(job for job in self._jobs if not job.is_done)
        return done

    def _pack(self) -> list[tuple[EmbedJob, list[int]]]:
        """The next inputs in order, as many as one decode takes."""
        pack: list[tuple[EmbedJob, list[int]]] = []
        room = self._context.max_batch
        for job in self._jobs:
            for tokens in job.inputs[len(job.vectors) :]:
                if len(tokens) > room or len(pack) == self._context.max_sequences:
                    return pack
                pack.append((job, tokens))
                room -= len(tokens)
        return pack

    def _compute(self, pack: list[tuple[EmbedJob, list[int]]]) -> None:
        lengths = [len(tokens) for _, tokens in pack]
        self._context.clear()
        self._context.decode(
            [token for _, tokens in pack for token in tokens],
            [position for length in lengths for position in range(length)],
            [
                sequence
                for sequence, length in enumerate(lengths)
                for _ in range(length)
            ],
            list(range(sum(lengths))),
        )
        for sequence, (job, _) in enumerate(pack):
            _deliver(job, self._context.embedding(sequence))


def _deliver(job: EmbedJob, vector: Floats) -> None:
    """The next vector of a job; one that is no vector fails its own job and no other of the pack."""
    try:
        job.vectors.append(normalized(vector, job.dimensions))
    except OllapyError as exc:
        job.error = exc


def normalized(vector: Floats, dimensions: int) -> list[float]:
    """The first `dimensions` of a vector (0: all) with Euclidean length 1."""
    cut = vector[: dimensions or None].astype(np.float64)
    if not np.isfinite(cut).all():
        raise RunnerError("embedding contains NaN or Inf values")
    unit: list[float] = (
        (cut / max(float(np.linalg.norm(cut)), 1e-12)).astype(np.float32).tolist()
    )
    return unit
