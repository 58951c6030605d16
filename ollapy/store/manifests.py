"""Manifests: which blobs make up the model of a name. Ollama's layout and JSON."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ollapy.errors import CorruptManifest, InvalidName, OllapyError
from ollapy.names import Digest, ModelName

from .durable import NewFile, sync_folder, translated

logger = logging.getLogger(__name__)

MAX_MANIFEST = 4 * 1024 * 1024
MAX_LAYERS = 1000
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."


class Layer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One blob of a model and what it is for."""

    media_type: str
    digest: Digest
    size: Annotated[int, msgspec.Meta(ge=0)]
    from_: str = msgspec.field(default="", name="from")

    @property
    def kind(self) -> str:
        """The last part of Ollama's media type: model, template, system, params, …"""
        return self.media_type.removeprefix(LAYER_TYPE)


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """A model's configuration and layers."""

    schema_version: int
    media_type: str
    config: Layer
    layers: Annotated[list[Layer], msgspec.Meta(max_length=MAX_LAYERS)]

    @property
    def digests(self) -> set[Digest]:
        """Every blob that the model needs."""
        return {layer.digest for layer in (self.config, *self.layers)}

    @property
    def size(self) -> int:
        """Bytes of all its blobs."""
        return self.config.size + sum(layer.size for layer in self.layers)

    def layers_of(self, kind: str) -> list[Layer]:
        """The layers of one kind, in order."""
        return [layer for layer in self.layers if layer.kind == kind]


@dataclass(frozen=True, slots=True)
class Entry:
    """A manifest as it is stored: its name as spelled there, its bytes' digest, and when it was written."""

    name: ModelName
    manifest: Manifest
    digest: Digest
    modified_at: float


class Manifests:
    """The folder of manifests, `<host>/<namespace>/<model>/<tag>`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, name: ModelName) -> Entry | None:
        """The entry of a name, however its letters are cased; CorruptManifest where it does not parse."""
        stored = self._spelled(name)
        return None if stored is None else self._read(stored)

    def entries(self) -> list[Entry]:
        """Every entry that parses; one that does not is logged and hides no other."""
        entries = []
        for name in self._names():
            try:
                entries.append(self._read(name))
            except OllapyError as exc:
                logger.warning("manifest skipped model=%s: %s", name, exc)
        return entries

    def write(self, name: ModelName, manifest: Manifest) -> None:
        """Publish the manifest; until that instant the name means what it meant before."""
        path = self._path(self._spelled(name) or name)
        with translated("write to the model store"), NewFile(path.parent) as file:
            file.write(encode(manifest))
            file.commit(path)

    def remove(self, name: ModelName) -> bool:
        """Delete the name and the folders that only it was in; False where there is no such name."""
        stored = self._spelled(name)
        if stored is None:
            return False
        path = self._path(stored)
        with translated("delete from the model store"):
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
            with suppress(OSError):  # a folder that is not empty stays
                for folder in list(path.parents)[:3]:
                    folder.rmdir()
        return True

    def _path(self, name: ModelName) -> Path:
        return self._root / name.path

    def _spelled(self, name: ModelName) -> ModelName | None:
        """The name as it is stored, if it is; the exact spelling needs no look around."""
        if self._path(name).is_file():
            return name
        return next(
            (stored for stored in self._names() if stored.key == name.key), None
        )

    def _names(self) -> Iterator[ModelName]:
        """The names whose files are there; files that are no name's are not ours."""
        for path in sorted(self._root.glob("*/*/*/*")):
            with suppress(InvalidName):
                host, namespace, model, tag = path.relative_to(self._root).parts
                name = ModelName.parse(f"{host}/{namespace}/{model}:{tag}")
                if path.is_file():
                    yield name

    def _read(self, name: ModelName) -> Entry:
        path = self._path(name)
        with translated("read from the model store"):
            with path.open("rb") as file:
                data = file.read(MAX_MANIFEST + 1)
            modified_at = path.stat().st_mtime
        return Entry(name, decode(data, name), digest_of(data), modified_at)


def encode(manifest: Manifest) -> bytes:
    """The manifest's bytes as Ollama writes them."""
    return msgspec.json.encode(manifest, enc_hook=str) + b"\n"


def decode(data: bytes, name: ModelName) -> Manifest:
    """The manifest that the bytes are; CorruptManifest names the model and the cure."""
    cure = f"the manifest of '{name}' is damaged, remove the model or pull it again"
    if len(data) > MAX_MANIFEST:
        raise CorruptManifest(f"{cure}: it is larger than {MAX_MANIFEST} bytes")
    try:
        return msgspec.json.decode(data, type=Manifest, dec_hook=_parse_digest)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise CorruptManifest(f"{cure}: {exc}") from exc


def digest_of(data: bytes) -> Digest:
    """The digest of some bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def _parse_digest(kind: type, value: Any) -> Digest:
    assert kind is Digest
    try:
        return Digest.parse(value)
    except (OllapyError, TypeError):
        raise ValueError("invalid digest format") from None
