"""Puller: finds a model's plan and carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from ollapy.api.ollama import Progress
from ollapy.download import Downloader, Plan
from ollapy.errors import ModelNotFound, RemoteError
from ollapy.names import Digest, ModelName
from ollapy.net.http import Http
from ollapy.operation import Operation
from ollapy.registry import Access, Credentials, Repository, push
from ollapy.registry.key import Key
from ollapy.registry.requests import Requests
from ollapy.settings import Settings
from ollapy.store import Layer, Manifest, Store
from ollapy.store.blobs import MAX_SMALL
from ollapy.store.manifests import decode
from ollapy.store.model import check_contents

_LARGE = ("model", "projector", "adapter", "draft")


@dataclass(frozen=True)
class Puller:
    """Pulls and pushes for one request."""

    store: Store
    settings: Settings
    insecure: bool = False
    credentials: Credentials | None = None
    max_rate: int | None = None

    def pull(
        self,
        name: ModelName,
        operation: Operation,
        *,
        needed: frozenset[Digest] = frozenset(),
    ) -> Progress:
        """Bring the model here. Until the last moment the name means what it meant before.

        A model without the blobs that are `needed` is another one of that name, and refused.
        """
        operation.status("pulling manifest")
        http = Http(insecure=self.insecure)
        repository, requests = self._remote(name, http, operation)
        plan = repository.plan(requests)
        manifest = decode(plan.manifest, name)
        if not needed <= manifest.digests:
            raise RemoteError(
                f"what is called '{name}' there is another model, pull it to replace yours"
            )
        with self.store.lease(*manifest.digests):
            self._fetch(manifest, plan, http, operation)
            operation.status("verifying sha256 digest")
            check_contents(name, manifest, self.store.blobs)
            operation.status("writing manifest")
            if self.store.put(name, plan.manifest):
                operation.status("removing unused layers")
        return Progress("success")

    def push(self, name: ModelName, operation: Operation) -> Progress:
        """Bring the model there."""
        operation.status("retrieving manifest")
        entry = self.store.entry(name)
        if entry is None:
            raise ModelNotFound(f"model '{name}' not found")
        http = Http(insecure=self.insecure)
        repository, requests = self._remote(name, http, operation)
        with self.store.lease(*entry.manifest.digests):
            push(repository, entry, self.store.blobs, requests, operation)
        return Progress("success")

    def _remote(
        self, name: ModelName, http: Http, operation: Operation
    ) -> tuple[Repository, Requests]:
        given = self.credentials or Credentials.stored(
            self.settings.docker_config, name.host
        )
        key, insecure = Key(self.settings.key), self.insecure
        access = Access(http, name.host, key, given, insecure=insecure)
        repository = Repository(name, access)
        return repository, Requests(http, access, operation)

    def _fetch(
        self, manifest: Manifest, plan: Plan, http: Http, operation: Operation
    ) -> None:
        """Every blob, in the manifest's order and the configuration last."""
        blobs = self.store.blobs
        downloader = Downloader(blobs, http, max_rate=self.max_rate)
        layers = (*manifest.layers, manifest.config)
        for layer in layers:
            _check_size(layer)
        downloader.check_space(
            {la.digest: la.size for la in layers if la.digest in plan.sources}
        )
        for layer in layers:
            if content := plan.contents.get(layer.digest):
                blobs.add([content], layer.digest)
            source = plan.sources.get(layer.digest)
            if source is not None:
                downloader.fetch(layer.digest, layer.size, source, operation)


def _check_size(layer: Layer) -> None:
    if layer.kind not in _LARGE and layer.size > MAX_SMALL:
        raise RemoteError(
            f"the {layer.kind} of the model is larger than {MAX_SMALL} bytes"
        )
