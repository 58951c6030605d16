"""Serving: what a model for vLLM is started with, and the memory that it claims."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import islice

from ollapy.api.engine import Buffer
from ollapy.api.vllm import VllmOptions
from ollapy.daemon.runners.accelerators import Accelerators, is_local, margin
from ollapy.daemon.runners.placement import Goal
from ollapy.daemon.runners.space import Space
from ollapy.runner.protocol import Serve
from ollapy.settings import Settings
from ollapy.store import VllmModel
from ollapy.vllm.arguments import arguments
from ollapy.vllm.program import program

# vLLM's own defaults
_SHARE = 0.92
_MAX_SEQUENCES = 256


@dataclass(frozen=True, slots=True)
class Claim:
    """A share of the memory of each accelerator that it computes on; what vLLM needs of the machine's it does not say."""

    taken: Space

    def reaches(self, _goal: Goal, free: Space) -> bool:
        """Whether so much memory is enough: there is no better or worse."""
        return free.holds(self.taken)

    @property
    def buffers(self) -> list[Buffer]:
        """The same as the memory of a loaded model."""
        return [Buffer(n, "claimed", size) for n, size in self.taken.devices.items()]


def claim(options: VllmOptions, there: Accelerators) -> Claim:
    """On the first of this machine's accelerators, one for each part that the model is split into.

    vLLM counts its share of all the memory, ollapy the rest of a device as its margin, which is in that share here.
    """
    share = options.gpu_memory_utilization or _SHARE
    parts = (
        options.tensor_parallel_size,
        options.pipeline_parallel_size,
        options.data_parallel_size,
    )
    number = 1
    for part in parts:
        number *= part or 1
    own = islice(filter(is_local, there.devices), number)
    return Claim(Space(0, {d.name: int(d.total * share) - margin(d) for d in own}))


def how_to_serve(model: VllmModel, settings: Settings, claimed: Claim) -> Serve:
    """What a runner is told of a model for vLLM; EngineMissing where there is no such program."""
    context = model.max_context or settings.context_length
    at_once = model.vllm.max_num_seqs or settings.num_parallel
    words = arguments(model, context, at_once, settings.vllm_args)
    return Serve(
        str(model.name),
        [*program(settings), *words],
        key=secrets.token_urlsafe(32),
        silence=settings.load_timeout,
        max_sequences=at_once or _MAX_SEQUENCES,
        buffers=claimed.buffers,
    )
