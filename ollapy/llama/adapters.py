"""Adapters: the LoRAs of one model in memory, and which of them a context computes with."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from ollapy.api.adapters import Adapter, AdapterSet
from ollapy.errors import LoadFailed

from .context import Context
from .library import log, raw
from .model import Model, reason


class Adapters:
    """Loads an adapter when it is first wanted, and keeps it as long as the model. On the contexts' thread.

    That a file fits the model is for the caller to know: for some that do not llama.cpp aborts.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._loaded: dict[str, Any] = {}  # by digest

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
        return True

    def _handle(self, adapter: Adapter) -> Any:
        found = self._loaded.get(adapter.digest)
        if found is None:
            found = self._loaded[adapter.digest] = self._load(Path(adapter.path))
        return found

    def _load(self, path: Path) -> Any:
        log.complaints.clear()
        handle = raw.llama_adapter_lora_init(self._model.handle, os.fsencode(path))
        if not handle:
            raise LoadFailed(f"llama.cpp could not load the adapter: {reason([path])}")
        return handle

    def __repr__(self) -> str:
        return f"<Adapters {len(self._loaded)} loaded>"
