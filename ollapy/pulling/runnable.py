"""Whether llama.cpp can run what was found: looked at before it gets a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ollapy import catalog
from ollapy.errors import CorruptManifest, InvalidModel
from ollapy.gguf import Header, check_adapter, read_header, read_model
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
    with _told(name, what):
        header = read_model(weights)
        _check_kind(header)
        for adapter in adapters:
            check_adapter(read_header(adapter), header)


def check_beginning(name: ModelName, path: Path) -> None:
    """The same of weights, or a part of them, whose header is there and not yet the rest."""
    with _told(name, f"'{name}'"):
        _check_kind(read_header(path, part=True))


@contextmanager
def _told(name: ModelName, what: str) -> Iterator[None]:
    try:
        yield
    except InvalidModel as exc:
        raise InvalidModel(
            f"{what} cannot be run by llama.cpp: {exc}{_instead(name)}"
        ) from exc


def _check_kind(header: Header) -> None:
    if not header.is_model:
        raise InvalidModel("it is an addition to a model")


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
