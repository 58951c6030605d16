"""Where a request's model was, and why there."""

from __future__ import annotations

from collections.abc import Iterator

from ollapy.api.status import PlacementReport
from ollapy.units import format_bytes

_PLAIN = "f16"


def placement(place: PlacementReport | None) -> Iterator[str]:
    """As sentences; none where the model was not there yet."""
    if place is None:
        return
    if place.host:
        yield f"The model is on another server, {place.host}, which does not say where its weights are."
        return
    if place.engine:
        yield f"The model runs in {place.engine}, which does not say where its weights are."
        return
    yield _where(place)
    if place.kv_type not in ("", _PLAIN):
        yield f"Its context was kept as {place.kv_type}, which takes less memory than {_PLAIN}."


def _where(place: PlacementReport) -> str:
    size = format_bytes(place.size)
    if place.size_vram >= place.size > 0:
        return f"All of it, {size}, was on {_devices(place)}."
    if place.size_vram:
        on_device = format_bytes(place.size_vram)
        return f"{on_device} of it were on {_devices(place)}, which had no room for the rest of {size}, or were not to have it."  # fmt: skip
    threads = f", by {place.num_threads} threads at most" if place.num_threads > 1 else ""  # fmt: skip
    return f"All of it, {size}, was in main memory and computed by the processor{threads}: {_why_there(place)}."


def _devices(place: PlacementReport) -> str:
    names = [name for name in place.devices if name != "CPU"]
    return " and ".join(names) or "the accelerator"


def _why_there(place: PlacementReport) -> str:
    if not place.accelerators:
        return "there is no accelerator that models may use"
    names = " and ".join(place.accelerators)
    return f"{names} had no room for any layer of it, or num_gpu was 0"
