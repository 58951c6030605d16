"""The KV cache: whether what is computed of prompts outlives its model, and where."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from ollapy.kvcache.file import is_private
from ollapy.kvcache.usage import LEAST_FREE, kept_files
from ollapy.settings import Settings
from ollapy.units import format_bytes

from .finding import Finding

_NAME = "kv cache"


def findings(settings: Settings) -> Iterator[Finding]:
    """One, of the folder as it is now."""
    root, most = settings.kv_cache, settings.kv_cache_size
    if not most:
        yield Finding(_NAME, "off, as OLLAPY_KV_CACHE says")
    elif not root.exists():
        yield Finding(_NAME, f"nothing kept yet, at most {format_bytes(most)}")
    elif root.is_symlink() or not is_private(root.lstat()):
        text = f"not used, as others can reach {root}"
        yield Finding(_NAME, text, f"chmod 700 {root}, or set OLLAPY_KV_CACHE_DIR")
    else:
        taken = format_bytes(sum(file.size for file in kept_files(root)))
        text = f"{taken} of prompts in {root}, at most {format_bytes(most)}"
        is_full = shutil.disk_usage(root).free < LEAST_FREE
        cure = "little is left on its disk: make room, or set OLLAPY_KV_CACHE_DIR"
        yield Finding(_NAME, text, cure if is_full else "")
