"""Accelerators: which devices models may use, of those there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ollapy.api.engine import Device
from ollapy.daemon.runners.layouts import Machine
from ollapy.daemon.runners.space import Space

_RPC = "RPC"
_METAL = ("Metal", "MTL")
_MARGIN = (
    1024 * 1024 * 1024
)  # of a device's memory, for what llama.cpp's log does not tell of
_MARGIN_SHARE = 16  # and no more than this part of it


@dataclass(frozen=True, slots=True)
class Accelerators:
    """Those that models may use, in order, and the names of the devices that each RPC worker has.

    `warnings` are sentences of what is not as it was asked for, or was.
    """

    devices: tuple[Device, ...] = ()
    workers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """As llama.cpp calls them."""
        return [device.name for device in self.devices]

    @property
    def machine(self) -> Machine:
        """Whose memory each has."""
        return Machine(
            shared=frozenset(d.name for d in self.devices if is_shared(d)),
            remote=frozenset(d.name for d in self.devices if d.backend == _RPC),
        )

    def workers_of(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The workers that some of these devices are of."""
        used = {*names}
        return {w: [*own] for w, own in self.workers.items() if used & {*own}}

    def space(self, host: int, overhead: int = 0) -> Space:
        """What can be had on each of them, but for an overhead, beside so much of the machine's memory."""
        free = {d.name: max(d.free - margin(d) - overhead, 0) for d in self.devices}
        shared = self.machine.shared
        return Space(host, {n: min(f, host) if n in shared else f for n, f in free.items()})  # fmt: skip


def is_shared(device: Device) -> bool:
    """Whether a device's memory is the machine's."""
    return device.kind == "igpu" or device.backend.startswith(_METAL)


def is_local(device: Device) -> bool:
    """Whether it is this machine's, with memory of its own."""
    return device.backend != _RPC and not is_shared(device)


def margin(device: Device) -> int:
    """Bytes of its memory that no placement counts on."""
    return min(_MARGIN, device.total // _MARGIN_SHARE)


def accelerators(devices: Iterable[Device]) -> list[Device]:
    """Those among all that there are."""
    return [device for device in devices if device.kind in ("gpu", "igpu")]


def chosen(
    devices: Sequence[Device], wanted: Sequence[str]
) -> tuple[list[Device], list[str]]:
    """The accelerators that are meant, and sentences about those that are not there.

    `wanted` are names or numbers in lower case; `cpu` is none of them, and nothing leaves the choice: discrete
    ones, those of other machines, and an integrated one where there is none of this machine's.
    """
    there = list(_distinct(accelerators(devices)))
    if not wanted:
        return _by_default(there), []
    known = {d.name.lower(): d for d in there}
    known |= {str(index): d for index, d in enumerate(there)}
    missing = [name for name in wanted if name not in known and name != "cpu"]
    found = dict.fromkeys(known[name].name for name in wanted if name in known)
    names = ", ".join(["cpu", *(d.name for d in there)])
    return [d for d in there if d.name in found], [
        f"OLLAPY_DEVICE names {name}, which is not there: name some of {names}"
        for name in missing
    ]


def _by_default(there: Sequence[Device]) -> list[Device]:
    has_own = any(d.kind == "gpu" and d.backend != _RPC for d in there)
    return [d for d in there if d.kind == "gpu" or not has_own]


def _distinct(devices: Iterable[Device]) -> Iterator[Device]:
    """Without those that another backend drives as well."""
    seen = set[str]()
    for device in devices:
        if not device.id or device.id not in seen:
            yield device
        seen.add(device.id)
