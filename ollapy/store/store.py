"""Store: the models on this machine, by name. Reading never creates or changes anything."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
    StoreError,
)
from ollapy.gguf import Header, read_model
from ollapy.names import Digest, ModelName

from . import builtin
from .blobs import Blobs
from .leases import Lease, leased
from .locks import FileLock
from .manifests import Entry, Layer, Manifest, Manifests, decode, encode
from .model import Model, ModelConfig

logger = logging.getLogger(__name__)
T = TypeVar("T")

_CHUNK = 1 << 20


class Store:
    """The folder of models in Ollama's layout, and the built-in model, which a stored namesake hides.

    Safe to use from several threads and processes: one changes at a time, so that no blob goes between
    the look at it and the manifest that names it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = Blobs(root / "blobs")
        self._manifests = Manifests(root / "manifests")
        self._cached_header = lru_cache(maxsize=256)(read_model)

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
        entry = self.entry(name)
        return None if entry is None else self._resolve(entry)

    def get(self, name: ModelName) -> Model:
        """The model of that name; ModelNotFound where there is none."""
        model = self.find(name)
        if model is None:
            raise ModelNotFound(f"model '{name}' not found")
        return model

    @contextmanager
    def lease(self, *digests: Digest) -> Iterator[Lease]:
        """Blobs that are to get a name stay until then; `add` more before looking for them."""
        lease = Lease(self.root / "leases", self._changing())
        lease.begin()
        try:
            lease.add(*digests)
            yield lease
        finally:
            lease.end()

    def put(self, name: ModelName, manifest: Manifest | bytes) -> set[Digest]:
        """Give a name to a model whose blobs are here; what only its old meaning needed is deleted and told.

        The bytes of a manifest that came from elsewhere are kept as they are: they are its digest.
        """
        data = manifest if isinstance(manifest, bytes) else encode(manifest)
        with self._changing():
            return self._put(name, data)

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give a model a second name; its blobs are shared."""
        entry = self.entry(source)
        if entry is None:
            raise ModelNotFound(f"model '{source}' not found")
        if source.key == destination.key:
            return
        with self._changing():
            if entry is builtin.entry():
                self._store_builtin()
            self._put(destination, entry.data)

    def delete(self, name: ModelName) -> None:
        """Remove a name, and the blobs that no other name needs."""
        with self._changing():
            digests = self._digests(name)
            if self._manifests.remove(name):
                self._prune(digests)
            elif name.key == builtin.NAME.key:
                raise InvalidRequest(
                    f"model '{builtin.NAME}' is built in and cannot be removed"
                )
            else:
                raise ModelNotFound(f"model '{name}' not found")

    def _changing(self) -> FileLock:
        """Held by whoever changes the store. Not entered twice by one thread."""
        return FileLock(self.root / "lock")

    def _put(self, name: ModelName, data: bytes) -> set[Digest]:
        manifest = decode(data, name)
        for layer in (manifest.config, *manifest.layers):
            if self.blobs.size(layer.digest) != layer.size:
                raise CorruptManifest(
                    f"blob {layer.digest} of '{name}' is not in the store, pull the model again"
                )
        old = self._digests(name)
        self._manifests.write(name, data)
        return self._prune(old)

    def entry(self, name: ModelName) -> Entry | None:
        """What is written down about the name; None where there is nothing."""
        return self._manifests.find(name) or (
            builtin.entry() if name.key == builtin.NAME.key else None
        )

    def _store_builtin(self) -> None:
        self.blobs.add([builtin.CONFIG])
        with builtin.WEIGHTS.open("rb") as file:
            self.blobs.add(iter(lambda: file.read(_CHUNK), b""))

    def _digests(self, name: ModelName) -> set[Digest]:
        """The blobs of a name; none where the manifest is absent, or too damaged to tell."""
        try:
            entry = self._manifests.find(name)
        except CorruptManifest:
            return set()
        return entry.manifest.digests if entry else set()

    def _prune(self, digests: Iterable[Digest]) -> set[Digest]:
        """Delete those of the blobs that nobody needs any more, and say which."""
        try:
            needed = self._manifests.digests() | leased(self.root / "leases")
        except StoreError as exc:  # a damaged manifest may need any of them
            logger.warning("blobs kept: %s", exc)
            return set()
        unneeded = set(digests) - needed
        for digest in unneeded:
            self.blobs.remove(digest)
        return unneeded

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
        parts = tuple(self._path(entry, layer) for layer in weights)
        adapters = self._paths(entry, "adapter")
        config = self._json(entry, [manifest.config], ModelConfig)
        params = self._json(entry, manifest.layers_of("params"), dict[str, object])
        messages = self._json(entry, manifest.layers_of("messages"), list[Message])
        return Model(
            name=entry.name,
            digest=entry.digest,
            size=manifest.size,
            modified_at=entry.modified_at,
            config=config or ModelConfig(),
            parts=parts,
            projectors=self._paths(entry, "projector"),
            adapters=adapters,
            template=self._last_text(entry, "template", "prompt"),
            system=self._last_text(entry, "system"),
            parameters=params or {},
            messages=messages or [],
            licenses=self._texts(entry, "license"),
            parent=weights[0].from_,
            loads=tuple(
                layer.digest for layer in (*weights, *manifest.layers_of("adapter"))
            ),
            read_header=lambda: self._header(entry.name, parts, adapters),
        )

    def _header(
        self, name: ModelName, parts: tuple[Path, ...], adapters: list[Path]
    ) -> Header:
        """Cached by path, as what is under a digest never changes."""
        try:
            header = self._cached_header(parts)
            if not header.is_model:
                raise InvalidModel("it is an addition to a model")
            for adapter in adapters:
                self._cached_header((adapter,))
        except InvalidModel as exc:
            raise InvalidModel(f"the file of '{name}' cannot be run: {exc}") from exc
        return header

    def _paths(self, entry: Entry, kind: str) -> list[Path]:
        return [self._path(entry, layer) for layer in entry.manifest.layers_of(kind)]

    def _path(self, entry: Entry, layer: Layer) -> Path:
        if entry is builtin.entry():
            return builtin.WEIGHTS
        if not self.blobs.exists(layer.digest):
            raise CorruptManifest(
                f"the {layer.kind} of '{entry.name}' is missing, pull the model again"
            )
        return self.blobs.path(layer.digest)

    def _texts(self, entry: Entry, *kinds: str) -> list[str]:
        return [
            self._bytes(entry, layer).decode("utf-8", "replace")
            for kind in kinds
            for layer in entry.manifest.layers_of(kind)
        ]

    def _last_text(self, entry: Entry, *kinds: str) -> str | None:
        return next(reversed(self._texts(entry, *kinds)), None)

    def _json(self, entry: Entry, layers: list[Layer], type_: type[T]) -> T | None:
        """What the last of the layers holds."""
        if not layers:
            return None
        try:
            return msgspec.json.decode(self._bytes(entry, layers[-1]), type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise CorruptManifest(
                f"the {layers[-1].kind} of '{entry.name}' is damaged, pull the model again: {exc}"
            ) from exc

    def _bytes(self, entry: Entry, layer: Layer) -> bytes:
        if entry is builtin.entry():
            return builtin.CONFIG
        try:
            return self.blobs.read(layer.digest)
        except CorruptManifest as exc:
            raise CorruptManifest(
                f"the {layer.kind} of '{entry.name}' is damaged, pull the model again: {exc}"
            ) from exc
