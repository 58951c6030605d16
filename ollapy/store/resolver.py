"""Resolver: from what is written down about a name to the model that can be loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import msgspec

from ollapy.api import vllm
from ollapy.api.adapters import Adapter, AdapterSet
from ollapy.api.ollama import Message
from ollapy.decoding import from_json
from ollapy.errors import CorruptManifest, InvalidModel, InvalidRequest
from ollapy.gguf import Header, check_adapter, read_model
from ollapy.names import Digest, ModelName
from ollapy.templating import Abilities, Source, TemplateProcess

from . import builtin
from .blobs import Blobs
from .manifests import Entry, Layer
from .model import Model, ModelConfig
from .vllm_model import VllmModel

logger = logging.getLogger(__name__)

T = TypeVar("T")
# Seconds for which the process that looks at templates waits for more of them.
_IDLE = 10


@dataclass(frozen=True, slots=True)
class _Known:
    """A model that has been resolved, and where its blobs were."""

    entry: Entry
    model: Model | VllmModel
    paths: dict[Layer, Path]


class Resolver:
    """Makes models of entries. For several threads.

    What is under a digest never changes, so a model is made once; later only a look is taken whether all of its
    blobs are still where they were.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._known: dict[ModelName, _Known] = {}
        self._cached_header = lru_cache(maxsize=256)(_read_header)
        self._templates = TemplateProcess(idle=_IDLE)
        look = partial(_abilities, self._templates)
        self._cached_abilities = lru_cache(maxsize=256)(look)

    def close(self) -> None:
        """End the process that looks at templates."""
        self._templates.close()

    def resolve(self, entry: Entry) -> Model | VllmModel:
        """The model of an entry; CorruptManifest where a part of it is not here or not whole."""
        paths = self._paths(entry)
        known = self._known.get(entry.name)
        if known is None or (known.entry, known.paths) != (entry, paths):
            known = _Known(entry, self._model(entry, paths), paths)
            self._known[entry.name] = known
        return known.model

    def forget_others(self, entries: Iterable[Entry]) -> None:
        """These are all that there are."""
        names = {entry.name for entry in entries}
        for name in [name for name in self._known if name not in names]:
            self._known.pop(name, None)

    def _paths(self, entry: Entry) -> dict[Layer, Path]:
        if entry is builtin.entry():
            layers = entry.manifest.layers_of("model")
            return dict.fromkeys(layers, builtin.WEIGHTS)
        manifest = entry.manifest
        return {
            layer: self._path(entry.name, layer)
            for layer in (manifest.config, *manifest.layers)
        }

    def _path(self, name: ModelName, layer: Layer) -> Path:
        path, size = self._blobs.locate(layer.digest)
        if path is not None and size == layer.size:
            return path
        if self._blobs.references.find(layer.digest):
            raise CorruptManifest(
                f"the file that '{name}' refers to has moved or changed: import it again"
            )
        state = "missing" if path is None else "damaged"
        raise CorruptManifest(
            f"the {layer.kind} of '{name}' is {state}, pull the model again"
        )

    def _model(self, entry: Entry, paths: dict[Layer, Path]) -> Model | VllmModel:
        manifest = entry.manifest
        weights = manifest.layers_of("model")
        if not weights:
            return self._referring(entry)
        adapters = tuple(
            Adapter(str(layer.digest), str(paths[layer]), layer.size)
            for layer in manifest.layers_of("adapter")
        )
        loads = tuple(layer.digest for layer in weights)
        parts = tuple(paths[layer] for layer in weights)
        config = self._json(entry, [manifest.config], ModelConfig)
        params = self._json(entry, manifest.layers_of("params"), dict[str, object])
        messages = self._json(entry, manifest.layers_of("messages"), list[Message])
        projectors = manifest.layers_of("projector")
        return Model(
            name=entry.name,
            digest=entry.digest,
            size=manifest.size,
            modified_at=entry.modified_at,
            config=config or ModelConfig(),
            parts=parts,
            projectors=[paths[layer] for layer in projectors],
            adapters=adapters,
            drafts=[paths[layer] for layer in manifest.layers_of("draft")],
            template=self._last_text(entry, "template", "prompt"),
            system=self._last_text(entry, "system"),
            parameters=params or {},
            messages=messages or [],
            licenses=self._texts(entry, "license"),
            parent=weights[0].from_,
            loads=loads,
            read_header=lambda: self._header(entry.name, loads, parts, adapters),
            read_projector=lambda: self._cached_header(
                (projectors[0].digest,), (paths[projectors[0]],)
            ),
            read_abilities=self._cached_abilities,
        )

    def _referring(self, entry: Entry) -> VllmModel:
        """A model whose weights are elsewhere."""
        manifest = entry.manifest
        config = self._json(entry, [manifest.config], ModelConfig)
        params = self._json(entry, manifest.layers_of("params"), dict[str, object])
        messages = self._json(entry, manifest.layers_of("messages"), list[Message])
        options, parameters = vllm.parse(params or {})
        if config is None or not config.source or options is None:
            raise CorruptManifest(
                f"the manifest of '{entry.name}' names no weights, pull the model again"
            )
        return VllmModel(
            name=entry.name,
            digest=entry.digest,
            size=manifest.size,
            modified_at=entry.modified_at,
            config=config,
            vllm=options,
            parameters=parameters,
            system=self._last_text(entry, "system"),
            messages=messages or [],
            licenses=self._texts(entry, "license"),
        )

    def _header(
        self,
        name: ModelName,
        loads: tuple[Digest, ...],
        parts: tuple[Path, ...],
        adapters: AdapterSet,
    ) -> Header:
        try:
            header = self._cached_header(loads, parts)
            if not header.is_model:
                raise InvalidModel("it is an addition to a model")
        except InvalidModel as exc:
            raise InvalidModel(f"the file of '{name}' cannot be run: {exc}") from exc
        self._check_adapters(name, adapters, header)
        return header

    def check_adapter(self, adapter: Adapter, header: Header) -> None:
        """InvalidModel for one that does not fit the weights with that header."""
        file = (Digest.parse(adapter.digest),), (Path(adapter.path),)
        check_adapter(self._cached_header(*file), header)

    def _check_adapters(
        self, name: ModelName, adapters: AdapterSet, header: Header
    ) -> None:
        try:
            for adapter in adapters:
                self.check_adapter(adapter, header)
        except InvalidModel as exc:
            raise InvalidModel(
                f"the adapter of '{name}' cannot be used: {exc}"
            ) from exc

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
            return from_json(self._bytes(entry, layers[-1]), type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise CorruptManifest(
                f"the {layers[-1].kind} of '{entry.name}' is damaged, pull the model again: {exc}"
            ) from exc

    def _bytes(self, entry: Entry, layer: Layer) -> bytes:
        if entry is builtin.entry():
            return builtin.CONFIG
        try:
            return self._blobs.read(layer.digest)
        except CorruptManifest as exc:
            raise CorruptManifest(
                f"the {layer.kind} of '{entry.name}' is damaged, pull the model again: {exc}"
            ) from exc


def _abilities(templates: TemplateProcess, source: Source) -> Abilities:
    """What a template's model can be asked for; nothing where the template cannot be read."""
    try:
        return templates.learn(source, Abilities)
    except InvalidRequest as exc:
        logger.warning("template not understood: %s", exc)
        return Abilities(system=False, tools=False, thinking=False, infill=False)


def _read_header(_digests: tuple[Digest, ...], parts: tuple[Path, ...]) -> Header:
    """By digest too, as a file that is referred to may change, and is then another blob."""
    return read_model(parts)
