"""Puller: models to this machine and from it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ollapy.api.ollama import Progress
from ollapy.download import Downloader
from ollapy.errors import CorruptManifest, InvalidRequest, ModelNotFound, RemoteError
from ollapy.hub import Hub
from ollapy.names import Digest, ModelName
from ollapy.neighbours import Neighbours
from ollapy.net.http import Http
from ollapy.operation import Operation
from ollapy.registry import Access, Credentials, Repository, push
from ollapy.registry.key import Key
from ollapy.registry.requests import Requests
from ollapy.settings import Settings
from ollapy.store import Store, builtin
from ollapy.store.manifests import decode
from ollapy.store.model import check_contents

from .fetch import Fetch
from .planner import Planner
from .runnable import check_beginning, check_runnable


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
        local: bool = False,
        needed: frozenset[Digest] = frozenset(),
    ) -> Progress:
        """Bring the model here. Until the last moment the name means what it meant before.

        With `local` another program's model of that name is used, where there is one. A model without the
        blobs that are `needed` is another one of that name, and refused. The built-in model is here already.
        """
        operation.status("pulling manifest")
        if self.store.is_builtin(name):
            return Progress("success")
        http, neighbours = Http(insecure=self.insecure), Neighbours(self.settings)
        plan = self._planner(name, http, neighbours, operation).plan(name, local=local)
        manifest = decode(plan.manifest, name)
        if not needed <= manifest.digests:
            raise RemoteError(
                f"what is called '{name}' there is another model, pull it to replace yours"
            )
        with self.store.lease(*manifest.digests):
            inspect = partial(check_beginning, name)
            fetch = Fetch(self.store.blobs, neighbours, operation, inspect)
            fetch.run(
                plan,
                manifest,
                Downloader(self.store.blobs, http, max_rate=self.max_rate),
            )
            operation.status("verifying sha256 digest")
            if not self._is_known(name, plan.manifest):
                check_contents(name, manifest, self.store.blobs)
                check_runnable(name, manifest, self.store.blobs)
            operation.status("writing manifest")
            if self.store.put(name, plan.manifest):
                operation.status("removing unused layers")
        return Progress("success")

    def _is_known(self, name: ModelName, manifest: bytes) -> bool:
        """Whether the name means this already: a look at a large vocabulary takes a third of a second."""
        with suppress(CorruptManifest):
            entry = self.store.entry(name)
            return entry is not None and entry.data == manifest
        return False

    def push(self, name: ModelName, operation: Operation) -> Progress:
        """Bring the model there."""
        operation.status("retrieving manifest")
        entry = self.store.entry(name)
        if entry is None:
            raise ModelNotFound(f"model '{name}' not found")
        self.store.get(name)  # one whose weights are elsewhere cannot be given away
        if self.store.is_builtin(name):
            raise InvalidRequest(
                f"model '{builtin.NAME}' is built in, `ollapy cp tiny you/tiny` makes a copy to push"
            )
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

    def _planner(
        self, name: ModelName, http: Http, neighbours: Neighbours, operation: Operation
    ) -> Planner:
        repository, requests = self._remote(name, http, operation)
        hub = Hub(self.settings, insecure=self.insecure)
        return Planner(
            self.store.blobs, neighbours, hub, repository, requests, operation
        )
