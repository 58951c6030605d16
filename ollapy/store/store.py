"""Store: the models on this machine, by name. Reading never creates or changes anything."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ollapy.api.adapters import Adapter
from ollapy.errors import (
    CorruptManifest,
    InvalidRequest,
    ModelNotFound,
    OllapyError,
    StoreError,
    Unsupported,
)
from ollapy.gguf import Header
from ollapy.names import Digest, ModelName
from ollapy.operation import Operation

from . import builtin
from .blobs import Blobs
from .files import File, Kind, files
from .leases import Lease, leased
from .locks import FileLock
from .manifests import Entry, Manifest, Manifests, decode, encode
from .model import Model
from .prune import Limits, Waste, delete, unneeded
from .resolver import Resolver
from .usage import Usage, usage
from .verify import Damage, verify
from .vllm_model import VllmModel

logger = logging.getLogger(__name__)

Stored = Model | VllmModel

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
        self._resolver = Resolver(self.blobs)

    def obstacle(self) -> str:
        """What keeps models from being stored here; empty where nothing does. The folder may yet have to be made."""
        places = (self.root, *self.root.parents)
        folder = next(
            (place for place in places if os.access(place, os.F_OK)), self.root
        )
        if not folder.is_dir():
            return f"{folder} is not a folder"
        return "" if os.access(folder, os.W_OK | os.X_OK) else f"{folder} is read-only"

    def close(self) -> None:
        """End what looks at templates, if something does; it starts again when it is needed."""
        self._resolver.close()

    def models(self) -> list[Stored]:
        """Every model, newest first; one that is damaged is logged and hides no other."""
        models, damaged = self.survey()
        for name, exc in damaged.items():
            logger.warning("model skipped model=%s: %s", name, exc)
        return models

    def survey(self) -> tuple[list[Stored], dict[ModelName, OllapyError]]:
        """Every model, newest first, and what is wrong with the others."""
        entries, damaged = self._manifests.read_all()
        if all(name.key != builtin.NAME.key for name in _names(entries, damaged)):
            entries.append(builtin.entry())
        self._resolver.forget_others(entries)
        models: list[Stored] = []
        for entry in entries:
            try:
                model = self._resolver.resolve(entry)
                if isinstance(model, Model):
                    _ = model.header
            except OllapyError as exc:
                damaged[entry.name] = exc
            else:
                models.append(model)
        models.sort(key=lambda model: model.modified_at, reverse=True)
        return models, damaged

    def find(self, name: ModelName) -> Stored | None:
        """The model of that name; None where there is none."""
        entry = self.entry(name)
        return None if entry is None else self._resolver.resolve(entry)

    def check_adapter(self, adapter: Adapter, header: Header) -> None:
        """InvalidModel for one that does not fit the weights with that header."""
        self._resolver.check_adapter(adapter, header)

    def get(self, name: ModelName) -> Model:
        """The model of that name; ModelNotFound where there is none, Unsupported where it has no files here."""
        model = self.find(name)
        if model is None:
            raise ModelNotFound(f"model '{name}' not found")
        if isinstance(model, VllmModel):
            raise Unsupported(
                f"'{name}' runs in vLLM, and nothing of its weights is in the store"
            )
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
            self._put(destination, entry.data)

    def delete(self, name: ModelName) -> set[Digest]:
        """Remove a name, and the blobs that no other name needs, which are told."""
        with self._changing():
            digests = self._digests(name)
            if self._manifests.remove(name):
                return self._prune(digests)
            if name.key == builtin.NAME.key:
                raise InvalidRequest(
                    f"model '{builtin.NAME}' is built in and cannot be removed"
                )
            raise ModelNotFound(f"model '{name}' not found")

    def discard(self, digests: Iterable[Digest]) -> None:
        """Delete those of the blobs that nobody needs, however young they are."""
        with self._changing():
            self._prune(set(digests))

    def prune(
        self, limits: Limits | None = None, *, dry_run: bool = False
    ) -> list[Waste]:
        """Delete what nobody needs, and say what; with `dry_run` only say it.

        Raises CorruptManifest, and deletes nothing, where a manifest cannot say what it needs.
        """
        if not self.root.is_dir():
            return []
        with self._changing():
            needed, now = self._needed(), time.time()
            found = unneeded(self._files(now), needed, limits or Limits())
            if dry_run:
                return found
            gone = delete(found)
            self._manifests.remove_empty_folders(now)
        return gone

    def verify(self, names: list[ModelName], operation: Operation) -> list[Damage]:
        """Read every blob of these models, or without names of the store, and say what is wrong."""
        for name in names:
            if not self._manifests.has(name) and name.key != builtin.NAME.key:
                raise ModelNotFound(f"model '{name}' not found")
        return verify(self._manifests, self.blobs, names, operation)

    def usage(self) -> Usage:
        """What takes how much of the disk."""
        entries = self._manifests.entries()
        return usage(entries, self._files(time.time()))

    def _changing(self) -> FileLock:
        """Held by whoever changes the store. Not entered twice by one thread."""
        return FileLock(self.root / "lock")

    def _put(self, name: ModelName, data: bytes) -> set[Digest]:
        manifest = decode(data, name)
        self._store_builtin(manifest.digests)
        for layer in (manifest.config, *manifest.layers):
            if self.blobs.size(layer.digest) != layer.size:
                raise CorruptManifest(
                    f"blob {layer.digest} of '{name}' is not in the store, pull the model again"
                )
        old = self._digests(name)
        self._manifests.write(name, data)
        return self._prune(old - manifest.digests)

    def entry(self, name: ModelName) -> Entry | None:
        """What is written down about the name; None where there is nothing."""
        return self._manifests.find(name) or (
            builtin.entry() if name.key == builtin.NAME.key else None
        )

    def is_builtin(self, name: ModelName) -> bool:
        """Whether the name means the model that ships with ollapy, and not one that took its place."""
        return name.key == builtin.NAME.key and not self._manifests.has(name)

    def _store_builtin(self, digests: set[Digest]) -> None:
        """Keep what of the built-in model is needed by another."""
        manifest = builtin.entry().manifest
        missing = {d for d in digests & manifest.digests if not self.blobs.exists(d)}
        if manifest.config.digest in missing:
            self.blobs.add([builtin.CONFIG])
        if missing - {manifest.config.digest}:
            with builtin.WEIGHTS.open("rb") as file:
                self.blobs.add(iter(lambda: file.read(_CHUNK), b""))

    def _digests(self, name: ModelName) -> set[Digest]:
        """The blobs of a name; none where the manifest is absent, or too damaged to tell."""
        try:
            entry = self._manifests.find(name)
        except CorruptManifest:
            return set()
        return entry.manifest.digests if entry else set()

    def _prune(self, digests: set[Digest]) -> set[Digest]:
        """Delete those of the blobs that nobody needs any more, and say which."""
        if not digests:  # what others need takes long to find out where there are many
            return set()
        try:
            needed = self._needed()
        except StoreError as exc:  # a damaged manifest may need any of them
            logger.warning("blobs kept: %s", exc)
            return set()
        unneeded = digests - needed
        self.blobs.remove(*unneeded)
        return unneeded

    def _needed(self) -> set[Digest]:
        """Under the store's lock."""
        return self._manifests.digests() | leased(self.root / "leases")

    def _files(self, now: float) -> Iterator[File]:
        yield from files(self.blobs.root, now)
        yield from files(self.blobs.references.root, now, Kind.REFERENCE)
        yield from files(self._manifests.root, now)


def _names(
    entries: Iterable[Entry], damaged: Iterable[ModelName]
) -> Iterator[ModelName]:
    yield from (entry.name for entry in entries)
    yield from damaged
