"""Adapters: the LoRAs of one model in memory, and which of them a context computes with."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np

from ollapy.api.adapters import MAX_IDLE_BYTES, Adapter, AdapterSet
from ollapy.errors import LoadFailed, StoreError
from ollapy.gguf import read_header

from .context import Context
from .library import log, raw
from .model import Model, reason

# How each encoding writes a number, and the bits that are all set where it is none: an exponent.
_EXPONENTS = {
    "F32": ("<u4", 0x7F800000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}


class _Loaded(NamedTuple):
    handle: Any
    size: int  # bytes


class Adapters:
    """Loads an adapter when it is first wanted, and keeps it for the next time. On the contexts' thread.

    Of those that no context computes with so many bytes stay at most, the last used. That a file fits the
    model is for the caller to know: for some that do not llama.cpp aborts.
    """

    def __init__(self, model: Model, *, max_idle: int = MAX_IDLE_BYTES) -> None:
        self._model = model
        self._max_idle = max_idle
        self._loaded: dict[str, _Loaded] = {}  # by digest, the last used at the end
        self._contexts: WeakSet[Context] = WeakSet()

    def use(self, context: Context, wanted: AdapterSet) -> bool:
        """Have a context compute with these from now on; whether it was with others before.

        Another set has llama.cpp make its compute buffers anew in the next decode, some milliseconds.
        LoadFailed leaves the context as it was.
        """
        if context.adapters == wanted:
            return False
        count = len(wanted)
        handles = (raw.llama_adapter_lora_p_ctypes * count)(*map(self._handle, wanted))
        scales = (ctypes.c_float * count)(*(adapter.scale for adapter in wanted))
        raw.llama_set_adapters_lora(context.handle, handles, count, scales)
        context.adapters = wanted
        self._contexts.add(context)
        self._free_idle()
        return True

    def _handle(self, adapter: Adapter) -> Any:
        loaded = self._loaded.pop(adapter.digest, None) or self._load(adapter)
        self._loaded[adapter.digest] = loaded
        return loaded.handle

    def _load(self, adapter: Adapter) -> _Loaded:
        path = Path(adapter.path)
        _check_numbers(path)
        log.complaints.clear()
        handle = raw.llama_adapter_lora_init(self._model.handle, os.fsencode(path))
        if not handle:
            raise LoadFailed(f"llama.cpp could not load the adapter: {reason([path])}")
        return _Loaded(handle, adapter.size)

    def _free_idle(self) -> None:
        """Give back those that were used longest ago, where there are too many."""
        used = {adapter.digest for c in self._contexts for adapter in c.adapters}
        idle = [digest for digest in self._loaded if digest not in used]
        excess = sum(self._loaded[digest].size for digest in idle) - self._max_idle
        for digest in idle:
            if excess <= 0:
                return
            freed = self._loaded.pop(digest)
            raw.llama_adapter_lora_free(freed.handle)
            excess -= freed.size

    def __repr__(self) -> str:
        return f"<Adapters {len(self._loaded)} loaded>"


def _check_numbers(path: Path) -> None:
    """LoadFailed for an adapter with a NaN or infinity, which would get into memory that others compute with."""
    try:
        header = read_header(path)
    except StoreError as exc:
        raise LoadFailed(f"the adapter could not be loaded: {exc}") from exc
    for tensor in header.tensors:
        if not (found := _EXPONENTS.get(tensor.type_name)):
            continue
        kind, exponent = found
        start = header.data_offset + tensor.offset
        bits = np.fromfile(path, kind, tensor.num_elements, offset=start)
        if ((bits & exponent) == exponent).any():
            raise LoadFailed(
                f"the adapter's {tensor.name} holds invalid numbers; its file may be damaged, pull it again"
            )
