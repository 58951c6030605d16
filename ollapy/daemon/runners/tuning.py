"""Tuning: what was measured of models of a shape on this machine, kept in a state file and used at load."""

from __future__ import annotations

import platform
import re
import time
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil
from msgspec.structs import replace

from ollapy.api.options import Options
from ollapy.api.tuning import Tuning
from ollapy.daemon.runners import placement, state_file
from ollapy.daemon.runners.cores import num_cores
from ollapy.gguf import Header
from ollapy.runner.protocol import Load, Tune
from ollapy.settings import Settings

_FILE = "tuning.json"
_MAX_KEPT = 256
_CPUINFO = Path("/proc/cpuinfo")
_UBATCHES = (128, 256)  # beside a whole batch
# Bytes of scores that attention may keep which is no flash attention: placement does not count them.
_MAX_SCORES = 256 << 20


class Measured(msgspec.Struct, frozen=True):
    """The best way to compute models of a shape on a machine, and when that was found: Unix time."""

    machine: str
    shape: str
    tuning: Tuning
    at: float


def machine() -> str:
    """What of this machine, and of the library, makes another way the best."""
    text = _CPUINFO.read_text() if _CPUINFO.exists() else ""
    named = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    name = named[1] if named else platform.processor()
    return (
        f"{name or platform.machine()}, {num_cores()} of {psutil.cpu_count() or 1}, "
        f"llama-cpp-python {version('llama-cpp-python')}"
    )


def shape(header: Header, load: Load) -> str:
    """What of a model, and of where it is, makes another way the best."""
    experts = f" of {n} experts" if (n := header.count("expert_count")) else ""
    devices = f" on {','.join(load.place.devices)}:{load.place.num_layers}" if load.place.devices else ""  # fmt: skip
    return (
        f"{header.architecture} {header.num_layers}x{header.embedding_length}{experts}, "
        f"{header.file_type}, {load.kv_type}{devices}"
    )


def known(settings: Settings) -> list[Measured]:
    """All that was measured on this machine, the newest last."""
    found = _read(settings)
    here = machine() if found else ""  # half a millisecond, and more with every core
    return [m for m in found if m.machine == here]


def keep(settings: Settings, header: Header, load: Load, tuning: Tuning) -> None:
    """Use it from the next load on, of models of that shape."""
    found = Measured(machine(), shape(header, load), tuning, time.time())
    same = (found.machine, found.shape)
    others = [m for m in _read(settings) if (m.machine, m.shape) != same]
    state_file.write(settings.state / _FILE, [*others, found][-_MAX_KEPT:])


def tuned(load: Load, header: Header, options: Options, settings: Settings) -> Load:
    """The load with what was measured; threads that somebody asked for stay as they are."""
    wanted = shape(header, load)
    found = next((m.tuning for m in known(settings) if m.shape == wanted), None)
    if found is None:
        return load
    is_asked = bool(options.num_thread or settings.num_threads)
    found = replace(
        found,
        num_threads=0 if is_asked else _threads(found.num_threads),
        num_prompt_threads=0 if is_asked else _threads(found.num_prompt_threads),
        num_ubatch=max(found.num_ubatch, 0),
    )
    if not _has_room(found, header, load):
        found = replace(found, flash_attention=None)
    most = max(found.num_threads, found.num_prompt_threads)
    return replace(load, num_threads=most or load.num_threads, tuning=found)


def order(header: Header) -> Tune:
    """What to try: all cores, fewer, and each core twice where it has two threads."""
    cores, usual = num_cores(), placement.num_threads(header, num_cores())
    counts = [usual, cores, cores - 1, cores * 3 // 4, cores // 2, cores // 4, psutil.cpu_count() or 1]  # fmt: skip
    return Tune([*dict.fromkeys(n for n in counts if n > 0)], [*_UBATCHES])


def _read(settings: Settings) -> list[Measured]:
    return state_file.read(settings.state / _FILE, list[Measured]) or []


def _threads(count: int) -> int:
    """A file may say anything, and an absurd number aborts llama.cpp."""
    return min(max(count, 0), psutil.cpu_count() or 1)


def _has_room(tuning: Tuning, header: Header, load: Load) -> bool:
    """Whether scores of all heads, of a batch against the whole context, are few enough to be kept."""
    cells = max(load.num_cells, header.context_length)
    heads = max(header.per_layer("attention.head_count"), default=0)
    at_once = tuning.num_ubatch or load.num_batch
    is_plain = load.kv_type == "f16"
    return is_plain and 4 * heads * cells * at_once <= _MAX_SCORES
