"""The model that ships inside the package and is in every store."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from ollapy.names import BUILT_IN, Digest, ModelName

from .manifests import (
    CONFIG_TYPE,
    LAYER_TYPE,
    Entry,
    Layer,
    Manifest,
    digest_of,
    encode,
)

NAME = ModelName.parse(BUILT_IN)
WEIGHTS = Path(str(files("ollapy.store") / "tiny.gguf"))
CONFIG = (
    b'{"model_format":"gguf","model_family":"llama","model_families":["llama"],"model_type":"3.54M",'
    b'"file_type":"Q8_0","architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
)


@cache
def entry() -> Entry:
    """Its entry, as if it were stored: the same digests on every machine."""
    with WEIGHTS.open("rb") as file:
        weights = Digest(hashlib.file_digest(file, "sha256").hexdigest())
    manifest = Manifest(
        config=Layer(CONFIG_TYPE, str(digest_of(CONFIG)), len(CONFIG)),
        layers=[Layer(f"{LAYER_TYPE}model", str(weights), WEIGHTS.stat().st_size)],
    )
    return Entry(NAME, encode(manifest), WEIGHTS.stat().st_mtime, manifest)
