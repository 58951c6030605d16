"""Ollama's own store, in the layout that is also ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from ollapy.decoding import from_json
from ollapy.errors import CorruptManifest, OllapyError
from ollapy.gguf.filenames import Kind
from ollapy.names import HUB_HOSTS, Digest, ModelName
from ollapy.store import Blobs, Layer, Manifests, ModelConfig
from ollapy.store.manifests import Entry

from .neighbour import Copy, LocalFile, Neighbour

logger = logging.getLogger(__name__)

OWNER = "Ollama"


@dataclass(frozen=True)
class OllamaStore:
    """One store; nothing of it is kept in mind."""

    root: Path

    def models(self) -> list[Neighbour]:
        """Those whose files are there."""
        entries = self._manifests.entries()
        return [model for entry in entries if (model := self._neighbour(entry))]

    def find(self, name: ModelName) -> Neighbour | None:
        """The model of that name; the hub has two, which mean the same."""
        hosts = HUB_HOSTS if name.is_on_hub else (name.host,)
        found = (self._manifests.find(replace(name, host=host)) for host in hosts)
        entry = next(filter(None, found), None)
        return self._neighbour(entry) if entry else None

    def copies(
        self, digest: Digest, size: int, _origin: ModelName | None
    ) -> list[Copy]:
        """The blob of that digest."""
        path, found = self._blobs.locate(digest)
        return [Copy(path, OWNER)] if path and found == size else []

    @property
    def _manifests(self) -> Manifests:
        return Manifests(self.root / "manifests")

    @property
    def _blobs(self) -> Blobs:
        return Blobs(self.root / "blobs")

    def _neighbour(self, entry: Entry) -> Neighbour | None:
        manifest, blobs = entry.manifest, self._blobs
        layers = [*manifest.layers_of("model"), *manifest.layers_of("projector")]
        if not manifest.layers_of("model"):  # a model of Ollama's cloud, or of MLX's
            return None
        try:
            for layer in (manifest.config, *manifest.layers):
                _located(layer, blobs)
            files = tuple(_file(layer, blobs, entry) for layer in layers)
            config = _config(blobs.read(manifest.config.digest))
        except OllapyError as exc:
            logger.info("model skipped owner=%s model=%s: %s", OWNER, entry.name, exc)
            return None
        return Neighbour(
            entry.name, OWNER, entry.modified_at, files, config, entry.data
        )


def _file(layer: Layer, blobs: Blobs, entry: Entry) -> LocalFile:
    path, kind = _located(layer, blobs), Kind(layer.kind)
    return LocalFile(path, layer.size, entry.modified_at, layer.digest, kind)


def _located(layer: Layer, blobs: Blobs) -> Path:
    path, size = blobs.locate(layer.digest)
    if path is None or size != layer.size:
        raise CorruptManifest(f"its {layer.kind} is missing or incomplete")
    return path


def _config(data: bytes) -> ModelConfig:
    try:
        return from_json(data, ModelConfig)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise CorruptManifest(f"its config is damaged: {exc}") from exc
