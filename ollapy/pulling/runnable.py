"""Whether llama.cpp can run what was fetched: looked at before it gets its name."""

from __future__ import annotations

from pathlib import Path

from ollapy import catalog
from ollapy.errors import CorruptManifest, InvalidModel
from ollapy.gguf import Header, read_model
from ollapy.names import ModelName
from ollapy.store import Blobs, Layer, Manifest


def check_runnable(name: ModelName, manifest: Manifest, blobs: Blobs) -> Header:
    """The header of the weights; InvalidModel where they, or an adapter, are not what llama.cpp takes."""
    parts = [_path(layer, blobs) for layer in manifest.layers_of("model")]
    try:
        header = read_model(parts)
        if not header.is_model:
            raise InvalidModel("it is an addition to a model")
        for layer in manifest.layers_of("adapter"):
            read_model([_path(layer, blobs)])
    except InvalidModel as exc:
        raise InvalidModel(
            f"'{name}' cannot be run by llama.cpp: {exc}{_instead(name)}"
        ) from exc
    return header


def _path(layer: Layer, blobs: Blobs) -> Path:
    path = blobs.find(layer.digest)
    if path is None:
        raise CorruptManifest(f"blob {layer.digest} is not in the store")
    return path


def _instead(name: ModelName) -> str:
    """The catalog's model of that name, which can be."""
    plain = ModelName.parse(f"{name.model}:{name.tag}")
    entry = catalog.find(plain)
    return f"; 'ollapy pull {plain}' brings one that can" if entry else ""
