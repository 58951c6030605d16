"""Models for a daemon's store, made by the test."""

from __future__ import annotations

from pathlib import Path

from ollapy.names import ModelName
from ollapy.store import Blobs, Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE
from scripts.make_gguf import (
    write_encoder_decoder,
    write_llava,
    write_random,
    write_scripted,
    write_ultravox_projector,
)


def add_model(models: Path, name: str, weights: Path, **layers: bytes) -> None:
    """Store a model file under a name, with further layers by their kind: system, params, messages, …"""
    _add(models, name, [("model", weights.read_bytes()), *layers.items()])


def add_files(models: Path, name: str, *files: tuple[str, Path]) -> None:
    """Store a model whose layers are these files, by their kinds."""
    _add(models, name, [(kind, path.read_bytes()) for kind, path in files])


def _add(models: Path, name: str, kinds: list[tuple[str, bytes]]) -> None:
    blobs = Blobs(models / "blobs")

    def layer(media_type: str, data: bytes) -> Layer:
        return Layer(media_type, str(blobs.add([data])), len(data))

    manifest = Manifest(
        config=layer(CONFIG_TYPE, b'{"model_format":"gguf"}'),
        layers=[layer(LAYER_TYPE + kind, data) for kind, data in kinds],
    )
    Store(models).put(ModelName.parse(name), manifest)


def add_seeing(models: Path, name: str = "seeing") -> None:
    """Store a model of random weights that sees: what it says of two pictures differs."""
    weights, projector = models.parent / f"{name}.gguf", models.parent / "mmproj.gguf"
    write_random(weights)
    write_llava(projector)
    add_model(models, name, weights, projector=projector.read_bytes())


def add_hearing(models: Path, name: str = "hearing") -> None:
    """Store a model of random weights that hears: what it says of two sounds differs."""
    weights, projector = models.parent / f"{name}.gguf", models.parent / "mmproj.gguf"
    write_random(weights)
    write_ultravox_projector(projector)
    add_model(models, name, weights, projector=projector.read_bytes())


def add_endless(models: Path, name: str = "endless") -> None:
    """Store a model that never stops by itself."""
    weights = models.parent / f"{name}.gguf"
    write_scripted(weights, "round and round and ", endless=True, context_length=65536)
    add_model(models, name, weights)


def add_encoder_decoder(models: Path, name: str) -> None:
    """Store a model that answers one request at a time."""
    weights = models.parent / f"{name}.gguf"
    write_encoder_decoder(weights, context_length=65536)
    add_model(models, name, weights)
