"""Manifests: which blobs make up the model of a name, in Ollama's layout and JSON."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import msgspec

from ollapy.errors import CorruptManifest, InvalidName, InvalidRequest
from ollapy.names import Digest, ModelName

from .disk import read_bounded, staged, sync_folder, translated

logger = logging.getLogger(__name__)

MAX_MANIFEST = 4 << 20
MAX_LAYERS = 1_000


class MediaType:
    """What a layer is."""

    MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    CONFIG = "application/vnd.docker.container.image.v1+json"
    MODEL = "application/vnd.ollama.image.model"
    PROJECTOR = "application/vnd.ollama.image.projector"
    ADAPTER = "application/vnd.ollama.image.adapter"
    DRAFT = "application/vnd.ollama.image.draft"
    TEMPLATE = "application/vnd.ollama.image.template"
    PROMPT = "application/vnd.ollama.image.prompt"  # a template's old name
    SYSTEM = "application/vnd.ollama.image.system"
    PARAMS = "application/vnd.ollama.image.params"
    MESSAGES = "application/vnd.ollama.image.messages"
    LICENSE = "application/vnd.ollama.image.license"


class Layer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One blob and what it is; `from_` is the model or the file that it came from."""

    media_type: str
    digest: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    from_: str | None = msgspec.field(name="from", default=None)
    name: str | None = None

    def __post_init__(self) -> None:
        Digest.parse(self.digest)

    @property
    def blob(self) -> Digest:
        return Digest.parse(self.digest)


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """A model as a list of blobs."""

    config: Layer
    layers: Annotated[tuple[Layer, ...], msgspec.Meta(max_length=MAX_LAYERS)]
    schema_version: int = 2
    media_type: str = MediaType.MANIFEST

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """From a manifest file's bytes."""
        if len(data) > MAX_MANIFEST:
            raise CorruptManifest(f"it is larger than {MAX_MANIFEST} bytes")
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, InvalidRequest) as error:
            raise CorruptManifest(str(error)) from error

    def encode(self) -> bytes:
        """The bytes that Ollama would write."""
        return msgspec.json.encode(self) + b"\n"

    @property
    def blobs(self) -> tuple[Layer, ...]:
        """Everything the model needs: the layers and the config."""
        return (*self.layers, self.config)


class ModelConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """The config blob: what the model is, without opening its weights."""

    model_format: str = ""
    model_family: str = ""
    model_families: list[str] | None = None
    model_type: str = ""
    file_type: str = ""
    renderer: str | None = None
    parser: str | None = None
    requires: str | None = None
    capabilities: list[str] | None = None
    context_length: int | None = None
    embedding_length: int | None = None
    base_name: str | None = None
    architecture: str = ""
    os: str = ""
