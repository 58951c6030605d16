"""Model: a manifest resolved to paths, parameters and what the model can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from ollapy.api.adapters import AdapterSet
from ollapy.api.ollama import Message
from ollapy.decoding import from_json
from ollapy.errors import CorruptManifest, InvalidModel
from ollapy.gguf import Header
from ollapy.names import Digest, ModelName
from ollapy.templating import Abilities, Source

from .blobs import Blobs
from .manifests import Manifest


class ModelConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """The config blob: what the one who made the model wrote down about it.

    `source` is ollapy's own: where the weights are of a model that the store has none of.
    """

    model_format: str = ""
    model_family: str = ""
    model_families: list[str] | None = None
    model_type: str = ""
    file_type: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    capabilities: list[str] | None = None
    context_length: int = 0
    embedding_length: int = 0
    base_name: str = ""
    architecture: str = ""
    os: str = ""
    source: str = ""


@dataclass(frozen=True)
class Model:
    """What a name stands for. `header` and `abilities` are read when first asked for, as the
    projector's header is.

    `modified_at` is Unix time, `size` the bytes of all blobs, `digest` the manifest's. `parts` are the files of
    the weights in order, mostly one. `loads` is what a runner has to load: models that load the same share a
    runner, whatever adapters their answers are computed with.
    """

    name: ModelName
    digest: Digest
    size: int
    modified_at: float
    config: ModelConfig
    parts: tuple[Path, ...]
    projectors: list[Path]
    adapters: AdapterSet
    drafts: list[Path]
    template: str | None
    system: str | None
    parameters: dict[str, object]
    messages: list[Message]
    licenses: list[str]
    parent: str
    loads: tuple[Digest, ...]
    read_header: Callable[[], Header] = field(repr=False, compare=False)
    read_projector: Callable[[], Header] = field(repr=False, compare=False)
    read_abilities: Callable[[Source], Abilities] = field(repr=False, compare=False)

    @property
    def weights(self) -> Path:
        """The file of the weights, or its first part."""
        return self.parts[0]

    @cached_property
    def header(self) -> Header:
        """The checked header of the weights; InvalidModel where llama.cpp would not take them."""
        return self.read_header()

    @property
    def chat_template(self) -> str | None:
        """The Jinja template that the weights carry."""
        return self.header.chat_template

    @cached_property
    def abilities(self) -> frozenset[str]:
        """What the model's templates can: among `system`, `tools`, `thinking` and `infill`."""
        found = [msgspec.structs.asdict(self.read_abilities(s)) for s in self._sources]
        return frozenset(name for a in found for name, can in a.items() if can)

    @property
    def _sources(self) -> set[Source]:
        """The model's own template, or without one those of the weights."""
        if self.template:
            return {Source(self.template, is_go=True)}
        header = self.header
        return {Source(t) for t in (header.chat_template, header.tools_template) if t}

    @cached_property
    def capabilities(self) -> list[str]:
        """What the model can do, in Ollama's words; the first look at it may take a tenth of a second."""
        header = self.header
        found = {
            "completion": not header.is_embedding,
            "embedding": header.is_embedding and not header.is_reranker,
            "rerank": header.is_reranker,  # ollapy's own word
            "tools": "tools" in self.abilities,
            "thinking": "thinking" in self.abilities,
            "insert": "infill" in self.abilities or header.can_infill,
            "vision": self._reads("vision") or header.count("vision.block_count") > 0,
            "audio": self._reads("audio") or header.count("audio.block_count") > 0,
        }
        names = [name for name, present in found.items() if present]
        # whether it makes text or vectors is for the weights to say
        claimed = [
            c
            for c in self.config.capabilities or []
            if c not in ("completion", "embedding", "rerank")
        ]
        return list(dict.fromkeys([*claimed, *names]))

    def _reads(self, what: str) -> bool:
        """Whether the projector encodes that; one that cannot be read is taken for one of pictures, and fails when used."""
        try:
            projector = self.read_projector() if self.projectors else None
        except InvalidModel:
            return what == "vision"
        key = f"clip.has_{what}_encoder"
        return bool(projector and projector.metadata.get(key, what == "vision"))


_JSON: dict[str, Any] = {
    "config": ModelConfig,
    "params": dict[str, object],
    "messages": list[Message],
}
_TEXTS = ("template", "prompt", "system")


def check_contents(name: ModelName, manifest: Manifest, blobs: Blobs) -> None:
    """CorruptManifest where a small part of a model is not what its kind says; before it gets a name."""
    for layer in (manifest.config, *manifest.layers):
        try:
            if kind := _JSON.get(layer.kind):
                from_json(blobs.read(layer.digest), kind)
            elif layer.kind in _TEXTS and b"\0" in blobs.read(layer.digest):
                raise ValueError("it has a NUL in it")
        except (ValueError, RecursionError) as exc:
            raise CorruptManifest(
                f"the {layer.kind} of '{name}' is damaged: {exc}"
            ) from exc
