"""Bench: one model, from its load to its table."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence

import psutil

from ollapy import __version__
from ollapy.api.ollama import GenerateRequest, RunningModel
from ollapy.cli.spinner import Spinner
from ollapy.client import Client
from ollapy.errors import OllapyError
from ollapy.names import ModelName
from ollapy.settings import Settings

from .bandwidth import bandwidth
from .measures import Limit, Measures, fits
from .result import Result
from .stream import Asker

_DEPTHS = (0, 2048, 8192, 32_768, 131_072)
COUNTS = (1, 2, 4, 8)
_UNLOAD_SECONDS = 30.0


def bench(
    settings: Settings,
    model: str,
    depths: Sequence[int],
    counts: Sequence[int],
    rounds: int,
    told: Callable[[str], None],
) -> Result:
    """Load a model anew and measure it; without `depths` as deep as does not take too long."""

    def connect() -> Client:
        return Client(settings.address, settings.api_key)

    with connect() as client:
        told("loading the model")
        load_seconds = _load(client, model)
        loaded = _loaded(client, model)
        report = client.show(model).ollapy
    wanted = [d for d in depths or _DEPTHS if fits(d, loaded.context_length)]
    if not wanted:
        raise OllapyError(
            f"the context of {model} has {loaded.context_length:,} tokens, which is too short to be measured so deep"
        )
    told("measuring the memory")
    # that of an accelerator, or of another machine, is not known
    speed = bandwidth() if settings.address.is_local and not loaded.size_vram else 0.0
    weights, kv = (report.active_bytes, report.kv_bytes_per_token) if report else (0, 0)
    measures = Measures(Asker(connect, model), told)
    filled = measures.fill(sorted({*wanted}), patient=bool(depths))
    deep, wide = measures.run(filled, counts, rounds, Limit(weights, kv, speed))
    return Result(
        version=__version__,
        model=loaded.name,
        digest=loaded.digest,
        machine=_machine(),
        context=loaded.context_length,
        load_seconds=load_seconds,
        size=loaded.size,
        size_vram=loaded.size_vram,
        weights=weights,
        kv_per_token=kv,
        bandwidth=speed,
        depths=deep,
        streams=wide,
    )


def _load(client: Client, model: str) -> float:
    """Seconds that it takes, once the model has left memory; what it reads may still be cached by the system."""
    client.unload(model)
    deadline = time.monotonic() + _UNLOAD_SECONDS
    while _find(client, model):
        if time.monotonic() > deadline:
            raise OllapyError(f"{model} is being used: measure it when nobody does")
        time.sleep(0.05)
    started = time.perf_counter()
    with Spinner(client):
        for _ in client.generate(GenerateRequest(model)):
            pass
    return time.perf_counter() - started


def _loaded(client: Client, model: str) -> RunningModel:
    found = _find(client, model)
    if found is None:
        raise OllapyError(f"{model} left memory while it was measured")
    return found


def _find(client: Client, model: str) -> RunningModel | None:
    wanted = ModelName.parse(model).key
    running = client.running()
    return next((m for m in running if ModelName.parse(m.name).key == wanted), None)


def _machine() -> str:
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return f"{platform.system()} {platform.machine()}, {cores} cores"
