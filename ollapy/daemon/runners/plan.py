"""Plan: how a model is to be placed, and what its runner is told when it has a place."""

from __future__ import annotations

import logging
from dataclasses import replace

from ollapy.api.engine import Place, Rehearsal
from ollapy.api.kv_cache import KvCache
from ollapy.api.options import Options
from ollapy.daemon.runners import measured, memory, placement, probe
from ollapy.daemon.runners.accelerators import Accelerators
from ollapy.daemon.runners.cores import num_cores
from ollapy.daemon.runners.footprint import Scale
from ollapy.daemon.runners.layouts import Wish
from ollapy.daemon.runners.placement import Placement, Placing, footprint
from ollapy.runner.protocol import Load
from ollapy.settings import Settings
from ollapy.store import Model

logger = logging.getLogger(__name__)

_MAX_STATES = 256 << 20  # bytes of copies of the states of models that have one
_MAX_RAM = 512 << 20  # bytes of computed prompts that rest in the machine's memory


def how_to_place(
    model: Model, options: Options, settings: Settings, there: Accelerators
) -> Placing:
    """A model that is to be placed as it, the request and the settings say; reads files."""
    beside = sum(adapter.size for adapter in model.adapters)
    beside += sum(path.stat().st_size for path in model.projectors)
    scale = measured.scale(settings, model.loads)
    names = there.names
    main = options.main_gpu
    return Placing(
        footprint(model.header, beside, scale or Scale()),
        Wish(
            num_layers=placement.num_layers(
                model.header,
                options.num_gpu,
                is_named=bool(settings.devices or settings.workers),
            ),
            num_cpu_moe=None if (options.n_cpu_moe or 0) < 0 else options.n_cpu_moe,
            main=names[main] if main is not None and 0 <= main < len(names) else None,
            shares=options.tensor_split or (),
        ),
        there.machine,
        context_length=settings.context_length,
        kv_type=settings.kv_type,
    )


async def rehearsed(
    placing: Placing, load: Load, placed: Placement, settings: Settings
) -> Placing:
    """With what llama.cpp itself says that the placement takes; as it was where it says nothing."""
    rehearsal = Rehearsal(
        *(load.paths, load.num_cells, load.max_sequences, load.num_batch),
        *(load.kv_type, load.place),
    )
    buffers = await probe.rehearse(rehearsal, settings.runner_env)
    if not buffers:
        return placing
    found = measured.compared((), placing.footprint, placed, buffers)
    if not found.is_sane:
        return placing
    logger.info("rehearsed compute=%.2f of what was reckoned", found.compute)
    return replace(placing, footprint=replace(placing.footprint, scale=found.scale))


def how_to_load(
    model: Model,
    options: Options,
    settings: Settings,
    placed: Placement,
    there: Accelerators,
) -> Load:
    """What a runner is told of a model that has its place."""
    threads = (
        options.num_thread
        or settings.num_threads
        or placement.num_threads(model.header, num_cores())
    )
    layout = placed.layout
    return Load(
        paths=[str(path) for path in model.parts],
        num_cells=placed.num_cells,
        num_ctx=placed.num_ctx,
        max_sequences=placement.MAX_SEQUENCES,
        num_batch=placed.num_batch,
        max_cells=placed.max_cells,
        max_running=settings.num_parallel,
        max_state_bytes=min(memory.total() // 32, _MAX_STATES),
        num_threads=min(max(threads, 1), 512),  # an absurd number aborts llama.cpp
        kv_type=placed.kv_type,
        kv_cache=_kv_cache(model, settings),
        place=Place(
            devices=list(layout.counts),
            split=[float(count) for count in layout.counts.values()],
            num_layers=layout.num_offloaded,
            num_cpu_moe=layout.num_cpu_moe,
            workers=there.workers_of(layout.counts),
        ),
    )


def _kv_cache(model: Model, settings: Settings) -> KvCache | None:
    if not settings.kv_cache_size:
        return None
    digests = [str(digest) for digest in model.loads]
    max_ram = min(memory.total() // 32, _MAX_RAM)
    return KvCache(str(settings.kv_cache), settings.kv_cache_size, digests, max_ram)
