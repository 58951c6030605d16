"""Fetch: the blobs of a plan, from wherever each of them is."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ollapy.api.ollama import Progress
from ollapy.download import Downloader, Inspect, Plan
from ollapy.errors import DigestMismatch, InvalidRequest, RemoteError, StoreError
from ollapy.neighbours import Copy, Neighbours
from ollapy.operation import Operation
from ollapy.store import Blobs, Layer, Manifest
from ollapy.store.blobs import MAX_SMALL
from ollapy.text import clean

logger = logging.getLogger(__name__)

_LARGE = ("model", "projector", "adapter", "draft")


@dataclass(frozen=True)
class Fetch:
    """Of one pull, which reports to `operation`. What another program has is not downloaded."""

    blobs: Blobs
    neighbours: Neighbours
    operation: Operation
    inspect: Inspect  # for weights

    def run(self, plan: Plan, manifest: Manifest, downloader: Downloader) -> None:
        """Every blob, in the manifest's order and the configuration last."""
        layers = {la.digest: la for la in (*manifest.layers, manifest.config)}
        for layer in layers.values():
            _check_size(layer)
        missing = [layer for layer in layers.values() if not self._is_here(layer)]
        wanted = {la.digest for la in missing if not self._is_brought(la, plan)}
        downloader.check_space({d: layers[d].size for d in wanted if d in plan.sources})
        for digest, layer in layers.items():
            if source := plan.sources.get(digest):
                inspect = self.inspect if layer.kind == "model" else None
                downloader.fetch(digest, layer.size, source, self.operation, inspect)
            elif digest in wanted:
                raise StoreError(
                    f"the {layer.kind} of the other program's copy is damaged, 'ollapy pull' downloads one"
                )
            else:
                status, size = f"pulling {digest.hex[:12]}", layer.size
                self.operation.report(Progress(status, str(digest), size, size))

    def _is_here(self, layer: Layer) -> bool:
        return self.blobs.size(layer.digest) == layer.size

    def _is_brought(self, layer: Layer, plan: Plan) -> bool:
        """Whether the blob was made here, or is somebody else's file."""
        if content := plan.contents.get(layer.digest):
            self.blobs.add([content], layer.digest)
            return True
        copies = self.neighbours.copies(layer.digest, layer.size, plan.origin)
        return any(self._is_adopted(layer, copy) for copy in copies)

    def _is_adopted(self, layer: Layer, copy: Copy) -> bool:
        """A copy that is not what it should be, or cannot be read, is as good as none."""
        status = f"using {copy.owner}'s copy of {layer.digest.hex[:12]}"
        # not the digest: if the copy is a bad one, the blob is counted from 0
        label = clean(copy.path.name)

        def told(completed: int) -> None:
            self.operation.check()
            self.operation.report(Progress(status, label, layer.size, completed))

        try:
            self.blobs.adopt(copy.path, expected=layer.digest, told=told)
        except (DigestMismatch, StoreError, InvalidRequest) as exc:
            logger.info("copy not used digest=%s: %s", layer.digest, exc)
            return False
        told(layer.size)
        return True


def _check_size(layer: Layer) -> None:
    if layer.kind not in _LARGE and layer.size > MAX_SMALL:
        raise RemoteError(
            f"the {layer.kind} of the model is larger than {MAX_SMALL} bytes"
        )
