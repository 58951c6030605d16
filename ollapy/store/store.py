"""Store: the models on this machine, by name. Reading never creates or changes anything."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec

from ollapy.api.ollama import Message
from ollapy.errors import (
    CorruptManifest,
    InvalidModel,
    InvalidRequest,
    ModelNotFound,
    OllapyError,
)
from ollapy.gguf import Header, read_header
from ollapy.names import Digest, ModelName

from . import builtin
from .blobs import Blobs
from .durable import translated
from .manifests import Entry, Layer, Manifest, Manifests
from .model import Model

logger = logging.getLogger(__name__)
T = TypeVar("T")

_MAX_SMALL_LAYER = 4 * 1024 * 1024
_CHUNK = 1 << 20


class Store:
    """The folder of models in Ollama's layout, and the built-in model, which a stored namesake hides."""

    def __init__(self, root: Path) -> None:
        self._blobs = Blobs(root / "blobs")
        self._manifests = Manifests(root / "manifests")
        self._read_header = lru_cache(maxsize=64)(_checked_header)

    def models(self) -> list[Model]:
        """Every model, newest first; one that is damaged is logged and hides no other."""
        entries = self._manifests.entries()
        if all(entry.name.key != builtin.NAME.key for entry in entries):
            entries.append(builtin.entry())
        return sorted(
            self._sound(entries), key=lambda model: model.modified_at, reverse=True
        )

    def find(self, name: ModelName) -> Model | None:
        """The model of that name; None where there is none."""
        entry = self._entry(name)
        return None if entry is None else self._resolve(entry)

    def get(self, name: ModelName) -> Model:
        """The model of that name; ModelNotFound where there is none."""
        model = self.find(name)
        if model is None:
            raise ModelNotFound(f"model '{name}' not found")
        return model

    def put(self, name: ModelName, manifest: Manifest) -> None:
        """Give a name to a model whose blobs are here, and delete what only its old meaning needed."""
        missing = [
            digest for digest in manifest.digests if not self._blobs.exists(digest)
        ]
        if missing:
            raise CorruptManifest(
                f"blob {missing[0]} of '{name}' is not in the store, pull the model again"
            )
        old = self._manifests.find(name)
        self._manifests.write(name, manifest)
        if old is not None:
            self._prune(old.manifest.digests)

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give a model a second name; its blobs are shared."""
        entry = self._entry(source)
        if entry is None:
            raise ModelNotFound(f"model '{source}' not found")
        if source.key == destination.key:
            return
        if entry is builtin.entry():
            self._store_builtin()
        self.put(destination, entry.manifest)

    def delete(self, name: ModelName) -> None:
        """Remove a name, and the blobs that no other name needs."""
        entry = self._entry(name)
        if entry is None:
            raise ModelNotFound(f"model '{name}' not found")
        if entry is builtin.entry():
            raise InvalidRequest(f"model '{name}' is built in and cannot be removed")
        self._manifests.remove(name)
        self._prune(entry.manifest.digests)

    def _entry(self, name: ModelName) -> Entry | None:
        return self._manifests.find(name) or (
            builtin.entry() if name.key == builtin.NAME.key else None
        )

    def _store_builtin(self) -> None:
        self._blobs.add([builtin.CONFIG])
        with builtin.WEIGHTS.open("rb") as file:
            self._blobs.add(iter(lambda: file.read(_CHUNK), b""))

    def _prune(self, digests: set[Digest]) -> None:
        """Delete those of the blobs that nobody needs any more."""
        needed = {
            digest
            for entry in self._manifests.entries()
            for digest in entry.manifest.digests
        }
        for digest in digests - needed:
            self._blobs.remove(digest)

    def _sound(self, entries: list[Entry]) -> Iterator[Model]:
        for entry in entries:
            try:
                model = self._resolve(entry)
                _ = model.header
            except OllapyError as exc:
                logger.warning("model skipped model=%s: %s", entry.name, exc)
            else:
                yield model

    def _resolve(self, entry: Entry) -> Model:
        manifest = entry.manifest
        weights = manifest.layers_of("model")
        if not weights:
            raise CorruptManifest(
                f"the manifest of '{entry.name}' names no weights, pull the model again"
            )
        path, digest = self._path(entry, weights[0]), weights[0].digest
        return Model(
            name=entry.name,
            digest=entry.digest,
            size=manifest.size,
            modified_at=entry.modified_at,
            weights=path,
            weights_digest=digest,
            projectors=[
                self._path(entry, layer) for layer in manifest.layers_of("projector")
            ],
            adapters=[
                self._path(entry, layer) for layer in manifest.layers_of("adapter")
            ],
            template=self._last_text(entry, "template"),
            system=self._last_text(entry, "system"),
            parameters=self._json(entry, "params", dict[str, object]) or {},
            messages=self._json(entry, "messages", list[Message]) or [],
            licenses=self._texts(entry, "license"),
            parent=weights[0].from_,
            read_header=lambda: self._read_header(digest, path, str(entry.name)),
        )

    def _path(self, entry: Entry, layer: Layer) -> Path:
        stored = self._blobs.path(layer.digest)
        return (
            builtin.WEIGHTS
            if entry is builtin.entry() and not stored.exists()
            else stored
        )

    def _texts(self, entry: Entry, kind: str) -> list[str]:
        return [
            self._bytes(entry, layer).decode("utf-8", "replace")
            for layer in entry.manifest.layers_of(kind)
        ]

    def _last_text(self, entry: Entry, kind: str) -> str | None:
        return next(reversed(self._texts(entry, kind)), None)

    def _json(self, entry: Entry, kind: str, type_: type[T]) -> T | None:
        layer = next(reversed(entry.manifest.layers_of(kind)), None)
        if layer is None:
            return None
        try:
            return msgspec.json.decode(self._bytes(entry, layer), type=type_)
        except msgspec.DecodeError as exc:
            raise CorruptManifest(
                f"the {kind} of '{entry.name}' are damaged, pull the model again: {exc}"
            ) from exc

    def _bytes(self, entry: Entry, layer: Layer) -> bytes:
        if layer.size > _MAX_SMALL_LAYER:
            raise CorruptManifest(
                f"the {layer.kind} of '{entry.name}' is larger than {_MAX_SMALL_LAYER} bytes"
            )
        with translated(f"read the {layer.kind} of '{entry.name}'"):
            return self._blobs.path(layer.digest).read_bytes()


def _checked_header(digest: Digest, path: Path, name: str) -> Header:
    """The header of a blob; cached, as the content of a digest never changes."""
    try:
        with translated(f"read the weights of '{name}'"):
            return read_header(path)
    except InvalidModel as exc:
        raise InvalidModel(f"the file of '{name}' cannot be run: {exc}") from exc
