"""Base: what a model is made from, before a recipe changes it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from ollapy.errors import InvalidRequest
from ollapy.gguf import Header
from ollapy.store import Layer, Model, ModelConfig
from ollapy.store.manifests import LAYER_TYPE
from ollapy.units import format_parameters

from .gguf_files import GgufFiles, check_fit
from .uploads import Upload

_FILES = ("model", "projector", "adapter")


@dataclass(frozen=True)
class Base:
    """Layers in order, the configuration and parameters beside them, and the files and header of the weights."""

    layers: Sequence[Layer]
    config: ModelConfig
    weights: Sequence[Path]
    header: Header
    parameters: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of_model(cls, model: Model, layers: Iterable[Layer]) -> Base:
        """A model of the store, which is remembered as the origin of what it brings."""
        return cls(
            [_from(layer, str(model.name)) for layer in layers],
            model.config,
            model.parts,
            model.header,
            model.parameters,
        )

    @classmethod
    def of_files(cls, files: GgufFiles) -> Base:
        """A model that is a file, or the parts of one."""
        if files.header is None:
            raise InvalidRequest(
                "no base model was found, none of the files is a model"
            )
        layers = [layer(file, "model") for file in files.weights]
        weights = [file.path for file in files.weights]
        return cls(layers, config_of(files.header), weights, files.header)

    def extended(self, files: GgufFiles, adapters: Sequence[Upload]) -> Base:
        """With projectors and adapters, in place of those it has if there are any."""
        check_fit(adapters, self.header)
        added = {"projector": files.projectors, "adapter": adapters}
        kept = [la for la in self.layers if not added.get(la.kind)]
        new = [layer(file, kind) for kind in added for file in added[kind]]
        at = 1 + max(i for i, la in enumerate(kept) if la.kind in _FILES)
        return replace(self, layers=[*kept[:at], *new, *kept[at:]])

    def with_weights(self, file: Upload, header: Header) -> Base:
        """With other weights, which are a file."""
        at = next(i for i, la in enumerate(self.layers) if la.kind == "model")
        kept = [la for la in self.layers if la.kind != "model"]
        layers = [*kept[:at], layer(file, "model"), *kept[at:]]
        config = msgspec.structs.replace(self.config, file_type=header.file_type)
        return replace(
            self, layers=layers, config=config, weights=[file.path], header=header
        )


def layer(file: Upload, kind: str) -> Layer:
    """The layer that a file is."""
    return Layer(f"{LAYER_TYPE}{kind}", str(file.digest), file.size)


def config_of(header: Header) -> ModelConfig:
    """What the weights say of themselves."""
    return ModelConfig(
        model_format="gguf",
        model_family=header.architecture,
        model_families=[header.architecture],
        model_type=format_parameters(header.num_parameters),
        file_type=header.file_type,
        architecture="amd64",
        os="linux",
    )


def _from(layer: Layer, name: str) -> Layer:
    if layer.kind not in _FILES:
        return layer
    return msgspec.structs.replace(layer, from_=name)
