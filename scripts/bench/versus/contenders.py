"""What takes part: ollapy, and the terms that are equal for all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ollapy.names import Digest, ModelName
from ollapy.store import Blobs, Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE
from scripts.bench.host import Host

from .dialects import Ollama
from .target import Target

_MODEL = "versus"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is equal for all; `context` are the tokens that one request may have."""

    model: Path
    threads: int
    context: int
    patience: float


class Contender(Protocol):
    """Something that can be started."""

    name: str

    def start(self) -> AbstractContextManager[Target]:
        """It is up while the block runs; Failed where it does not come up."""
        ...


class Ollapy:
    """A daemon of our own with the model in a temporary store."""

    name = "ollapy"

    def __init__(self, folder: Path, terms: Terms) -> None:
        folder.mkdir()
        self._terms = terms
        self._host = Host(folder, threads=terms.threads, context=terms.context)
        add_model(folder / "models", _MODEL, terms.model)

    @contextmanager
    def start(self) -> Iterator[Target]:
        host, patience = self._host, self._terms.patience
        with host.daemon() as process:
            yield Target(
                self.name, host.port, Ollama(_MODEL), process, host.log, patience
            )


def add_model(models: Path, name: str, weights: Path) -> None:
    """Put a model file into a store, by a hard link where the file system can."""
    blobs = Blobs(models / "blobs")
    with weights.open("rb") as file:
        digest = Digest(hashlib.file_digest(file, "sha256").hexdigest())
    blob = blobs.path(digest)
    blob.parent.mkdir(parents=True, exist_ok=True)
    try:
        blob.hardlink_to(weights.resolve())
    except OSError:
        shutil.copyfile(weights, blob)
    config = b'{"model_format":"gguf"}'
    manifest = Manifest(
        config=Layer(CONFIG_TYPE, str(blobs.add([config])), len(config)),
        layers=[Layer(f"{LAYER_TYPE}model", str(digest), weights.stat().st_size)],
    )
    Store(models).put(ModelName.parse(name), manifest)
