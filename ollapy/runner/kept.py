"""Kept: the cache of what was computed, as a loaded model needs it."""

from __future__ import annotations

from pathlib import Path

from ollapy.kvcache.folder import Folder
from ollapy.kvcache.vault import Vault
from ollapy.llama.context import Context
from ollapy.llama.library import fingerprint
from ollapy.llama.model import Model

from .protocol import Load


def open_vault(load: Load, model: Model, context: Context) -> Vault | None:
    """What of the folder that the daemon names is this model's; None where it names none, or nothing could be used.

    That is for an encoder's decoder, whose cells mean nothing without what was encoded.
    """
    if load.kv_cache is None or model.has_encoder:
        return None
    paths = [Path(path) for path in load.paths]
    files = [path.stat() for path in paths]
    identity = {
        "library": fingerprint(),
        "model": load.kv_cache.model,
        "files": [(found.st_size, found.st_mtime_ns) for found in files],
        "type": load.kv_type,
        "attention": load.tuning.flash_attention,
        "devices": load.place.devices,
        "layers": load.place.num_layers,
        "can_rewind": context.can_rewind,
    }
    cache = load.kv_cache
    folder = Folder(
        Path(cache.folder), cache.max_bytes, identity, cache.model[0], paths
    )
    return Vault(folder, anywhere=context.can_rewind, max_ram=cache.max_ram)
