"""`ollapy ps`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ollapy.text import clean

from .as_json import AsJson
from .prefix import Prefix, narrowed

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.loading import LoadState
    from ollapy.api.ollama import RunningModel

_HEADER = ("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL")


def ps(prefix: Prefix = "", as_json: AsJson = False) -> None:
    """List the models that are loaded, or being loaded."""
    from msgspec.structs import replace

    from ollapy.cli.output import print_json, print_table, talk
    from ollapy.cli.session import connected

    with connected() as client:
        loaded = client.loaded()
    shown = narrowed(loaded.models, prefix)
    loading = narrowed(loaded.loading, prefix)
    if as_json:
        print_json(replace(loaded, models=shown, loading=loading))
        return
    for model in shown:
        for note in model.notes:
            talk(f"{model.name}: {clean(note)}")
    for warning in loaded.warnings:
        talk(f"Warning: {clean(warning)}")
    now = datetime.now(UTC)
    rows = [_row(model, now) for model in shown]
    print_table(_HEADER, [*rows, *map(_loading_row, loading)])


def _row(model: RunningModel, now: datetime) -> tuple[str, ...]:
    from ollapy.units import format_bytes, format_relative, parse_time

    expires = parse_time(model.expires_at)
    size = format_bytes(model.size) if model.size else "-"
    return (
        model.name,
        model.digest[:12] or "-",
        f"{size} shared" if model.shared_with else size,
        _processor(model),
        str(model.context_length or "-"),
        format_relative(expires, now) if expires > now else "Stopping...",
    )


def _loading_row(state: LoadState) -> tuple[str, ...]:
    from ollapy.units import format_bytes

    size = format_bytes(state.total) if state.total else "-"
    return state.name, "-", size, "-", "-", _doing(state)


def _doing(state: LoadState) -> str:
    """Where those that are loaded say how long they stay."""
    if state.status == "waiting":
        return "Waiting for memory"
    share = f" {100 * state.completed // state.total}%" if state.total else ""
    return f"{state.status.capitalize()}{share}"


def _processor(model: RunningModel) -> str:
    """Where the weights and the cache are."""
    if elsewhere := model.remote_host or model.engine:
        return clean(elsewhere)
    size, size_vram = _held(model)
    if not size:
        return "Unknown"
    gpu = round(100 * size_vram / size)
    if gpu in (0, 100):
        return "100% GPU" if gpu else "100% CPU"
    return f"{100 - gpu}%/{gpu}% CPU/GPU"


def _held(model: RunningModel) -> tuple[int, int]:
    """Bytes of weights and cache, and those of them on accelerators.

    Token embeddings, which are looked up and not computed with, are always the processor's.
    """
    held = [b for b in model.buffers if b.purpose in ("weights", "cache", "state")]
    on_gpu = sum(b.size for b in held if b.device != "CPU")
    are_all_there = bool(model.layers) and "CPU" not in model.layers
    if are_all_there and not model.num_cpu_moe:
        return on_gpu, on_gpu
    return sum(b.size for b in held), on_gpu
