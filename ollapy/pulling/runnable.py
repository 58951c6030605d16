"""Whether llama.cpp can run what was found: looked at before it gets a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ollapy import catalog
from ollapy.errors import CorruptManifest, InvalidModel
from ollapy.gguf import read_model
from ollapy.names import HOST, NAMESPACE, TAG, Digest, ModelName
from ollapy.store import Blobs, Manifest


def check_runnable(name: ModelName, manifest: Manifest, blobs: Blobs) -> None:
    """InvalidModel where the weights, or an adapter, are not what llama.cpp takes."""
    weights, adapters = (
        [_path(layer.digest, blobs) for layer in manifest.layers_of(kind)]
        for kind in ("model", "adapter")
    )
    check_files(name, f"'{name}'", weights, adapters)


def check_files(
    name: ModelName, what: str, weights: Sequence[Path], adapters: Sequence[Path] = ()
) -> None:
    """The same of files. `what` begins the sentence, which ends with the catalog's model of that name."""
    try:
        if not read_model(weights).is_model:
            raise InvalidModel("it is an addition to a model")
        for adapter in adapters:
            read_model([adapter])
    except InvalidModel as exc:
        raise InvalidModel(
            f"{what} cannot be run by llama.cpp: {exc}{_instead(name)}"
        ) from exc


def _path(digest: Digest, blobs: Blobs) -> Path:
    path = blobs.find(digest)
    if path is None:
        raise CorruptManifest(f"blob {digest} is not in the store")
    return path


def _instead(name: ModelName) -> str:
    """The catalog's model of that name, which can be."""
    plain = ModelName(HOST, NAMESPACE, name.model, name.tag)
    known = next(filter(catalog.find, (plain, replace(plain, tag=TAG))), None)
    return f"; 'ollapy pull {known}' brings one that can" if known else ""
