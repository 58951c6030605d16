"""Manifests: which blobs make up the model of a name. Ollama's layout and JSON."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from ollapy.decoding import from_json
from ollapy.errors import CorruptManifest, InvalidName, InvalidRequest, OllapyError
from ollapy.names import Digest, ModelName

from .durable import NewFile, sync_folder, translated
from .regular import read_small

logger = logging.getLogger(__name__)

MAX_MANIFEST = 4 * 1024 * 1024
MAX_LAYERS = 1000
_HOUR = 3600.0
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."


class Layer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One blob of a model and what it is for."""

    media_type: str
    digest_text: str = msgspec.field(name="digest")
    size: Annotated[int, msgspec.Meta(ge=0)]
    from_: str = msgspec.field(default="", name="from")
    name: str = ""

    def __post_init__(self) -> None:
        """Checks the digest, by the error that msgspec reports with its place in the JSON."""
        try:
            Digest.parse(self.digest_text)
        except InvalidRequest as exc:
            raise ValueError(str(exc)) from None

    @property
    def digest(self) -> Digest:
        """The blob's digest."""
        return Digest.parse(self.digest_text)

    @property
    def kind(self) -> str:
        """The last part of Ollama's media type: model, template, system, params, …; or config."""
        if self.media_type == CONFIG_TYPE:
            return "config"
        return self.media_type.removeprefix(LAYER_TYPE)


class Manifest(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A model's configuration and layers."""

    schema_version: int = 2
    media_type: str = MANIFEST_TYPE
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
    """A manifest as it is stored: its name as spelled there, its very bytes, and when they were written."""

    name: ModelName
    data: bytes
    modified_at: float
    manifest: Manifest

    @property
    def digest(self) -> Digest:
        return digest_of(self.data)


class Manifests:
    """The folder of manifests, `<host>/<namespace>/<model>/<tag>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, name: ModelName) -> Entry | None:
        """The entry of a name, however its letters are cased; CorruptManifest where it does not parse."""
        stored = self._spelled(name)
        return None if stored is None else self._read(stored)

    def has(self, name: ModelName) -> bool:
        """Whether there is a manifest of that name, damaged or not."""
        return self._spelled(name) is not None

    def entries(self) -> list[Entry]:
        """Every entry that parses; one that does not is logged and hides no other."""
        entries, damaged = self.read_all()
        for name, exc in damaged.items():
            logger.warning("manifest skipped model=%s: %s", name, exc)
        return entries

    def read_all(self) -> tuple[list[Entry], dict[ModelName, OllapyError]]:
        """Every entry that parses, and what is wrong with the others."""
        entries: list[Entry] = []
        damaged: dict[ModelName, OllapyError] = {}
        for name in self._names():
            try:
                entry = self._read(name)
            except OllapyError as exc:
                damaged[name] = exc
            else:
                entries += [entry] if entry else []
        return entries, damaged

    def digests(self) -> set[Digest]:
        """Every blob that some name needs; StoreError if one manifest cannot say which."""
        entries = [self._read(name) for name in self._names()]
        return {d for entry in entries if entry for d in entry.manifest.digests}

    def write(self, name: ModelName, data: bytes) -> None:
        """Publish a manifest's bytes; until that instant the name means what it meant before."""
        # Not beside its target, where every file is a tag to Ollama.
        with NewFile(self.root) as file:
            file.write(data)
            file.commit(self._path(self._spelled(name) or name))

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

    def remove_empty_folders(self, now: float) -> None:
        """Delete the folders that no manifest is in, but those made in the last hour: one may be on its way."""
        for depth in (3, 2, 1):
            for folder in _descendants(self.root, depth):
                with suppress(OSError):  # one that is not empty, or no folder, stays
                    if folder.lstat().st_mtime < now - _HOUR:
                        folder.rmdir()

    def _path(self, name: ModelName) -> Path:
        return self.root / name.path

    def _spelled(self, name: ModelName) -> ModelName | None:
        """The name as it is stored, if it is; the exact spelling is not looked for among all others."""
        with suppress(OSError):  # a host's name may be longer than a folder's
            if self._path(name).is_file():
                return name
        return next(
            (stored for stored in self._names() if stored.key == name.key), None
        )

    def _names(self) -> Iterator[ModelName]:
        """The names whose files are there; files that are no name's are not ours."""
        for path in _descendants(self.root, depth=4):
            with suppress(InvalidName):
                host, namespace, model, tag = path.parts[-4:]
                name = ModelName.parse(f"{host}/{namespace}/{model}:{tag}")
                if path.is_file():
                    yield name

    def _read(self, name: ModelName) -> Entry | None:
        """The entry; None where it has just been removed."""
        path = self._path(name)
        with translated("read from the model store"):
            try:
                data, found = read_small(path, MAX_MANIFEST)
            except FileNotFoundError:
                return None
        return Entry(name, data, found.st_mtime, decode(data, name))


def _descendants(folder: Path, depth: int) -> Iterator[Path]:
    """What is that deep under a folder. Unlike a glob it bears folders that vanish meanwhile."""
    with translated("read from the model store"):
        try:
            children = sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
    if depth == 1:
        yield from children
    else:
        for child in children:
            yield from _descendants(child, depth - 1)


def encode(manifest: Manifest) -> bytes:
    """The manifest's bytes as Ollama writes them."""
    return msgspec.json.encode(manifest) + b"\n"


def decode(data: bytes, name: ModelName) -> Manifest:
    """The manifest that the bytes are; CorruptManifest names the model and the cure."""
    cure = f"the manifest of '{name}' is damaged, remove the model or pull it again"
    if len(data) > MAX_MANIFEST:
        raise CorruptManifest(f"{cure}: it is larger than {MAX_MANIFEST} bytes")
    try:
        return from_json(data, Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise CorruptManifest(f"{cure}: {exc}") from exc


def digest_of(data: bytes) -> Digest:
    """The digest of some bytes."""
    return Digest(hashlib.sha256(data).hexdigest())
