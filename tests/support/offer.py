"""Offer: a model as a registry has it, with every chance to be wrong about it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ollapy.api.ollama import Progress
from ollapy.names import ModelName
from ollapy.operation import Operation
from ollapy.pulling import Puller
from ollapy.settings import Settings
from ollapy.store import Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE

from .misbehaving import Asked, Reply, Server

CONFIG = b'{"model_format":"gguf","model_family":"llama"}'


def digest(data: bytes) -> str:
    """As manifests write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Offer:
    """`answer` serves the manifest and the blobs; both may be changed to lie."""

    manifest: dict[str, Any]
    blobs: dict[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(map(len, self.blobs.values()))

    @property
    def data(self) -> bytes:
        """The manifest's bytes."""
        return json.dumps(self.manifest).encode()

    def layer(self, kind: str) -> dict[str, Any]:
        """A layer of the manifest, or its configuration, to be changed."""
        if kind == "config":
            return self.manifest["config"]
        layers: list[dict[str, Any]] = self.manifest["layers"]
        return next(la for la in layers if la["mediaType"] == LAYER_TYPE + kind)

    def answer(self, asked: Asked, reply: Reply) -> None:
        """As a good registry would."""
        if "/manifests/" in asked.path:
            reply.whole("200 OK", self.data, Content_Type=MANIFEST_TYPE)
        elif (data := self.blobs.get(asked.path.rpartition("/")[2])) is not None:
            reply.ranged(asked, data)
        else:
            reply.whole("404 Not Found", b"")


def offer(*, config: bytes = CONFIG, **layers: bytes) -> Offer:
    """A model of these layers, by their kind: model, template, params, …"""
    parts = [(CONFIG_TYPE, config)] + [(LAYER_TYPE + k, d) for k, d in layers.items()]
    descriptors = [
        {"mediaType": kind, "digest": digest(data), "size": len(data)}
        for kind, data in parts
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptors[0],
        "layers": descriptors[1:],
    }
    return Offer(manifest, {digest(data): data for _kind, data in parts})


def name_on(server: Server) -> ModelName:
    """What the one model of a server is called."""
    return ModelName.parse(f"127.0.0.1:{server.port}/ann/it:v1")


def puller(models: Path) -> Puller:
    """What a daemon of a user without any settings would pull with."""
    env = {"HOME": str(models.parent), "OLLAPY_MODELS": str(models)}
    return Puller(Store(models), Settings.from_env(env))


def pull(models: Path, server: Server) -> list[Progress]:
    """Pull the server's model into a store, and say what was reported."""
    records: list[Progress] = []
    last = puller(models).pull(name_on(server), Operation(records.append))
    return [*records, last]
