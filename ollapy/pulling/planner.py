"""Planner: where the model of a name is to be had, and how to come by it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ollapy import catalog
from ollapy.api.ollama import Progress
from ollapy.create.layers import layers_of
from ollapy.download import Plan
from ollapy.errors import RemoteError, Unauthorized
from ollapy.hub import Hub
from ollapy.hub import plan as hub_plan
from ollapy.hub.plan import assembled
from ollapy.names import HOST, NAMESPACE, Digest, ModelName
from ollapy.neighbours import LocalFile, Neighbour, Neighbours
from ollapy.operation import Operation
from ollapy.registry import Repository
from ollapy.registry.requests import Requests
from ollapy.store import Blobs, Layer, Manifest
from ollapy.store.manifests import LAYER_TYPE, decode, encode
from ollapy.text import clean

from .runnable import check_files


@dataclass(frozen=True)
class Planner:
    """Plans for one pull, which reports to `operation`."""

    blobs: Blobs
    neighbours: Neighbours
    hub: Hub
    repository: Repository
    requests: Requests
    operation: Operation

    def plan(self, name: ModelName, *, local: bool) -> Plan:
        """How to come by the model.

        1. With `local` what another program has under that name, as it is there.
        2. A repository of the hub, where the name is one.
        3. A name of the catalog: the hub's files that it stands for, with its parameters.
        4. The registry of the name's host.
        """
        if local and (neighbour := self._neighbour(name)):
            return self._as_in_catalog(self._local(name, neighbour), name)
        try:
            return self._as_in_catalog(self._remote(name), name)
        except RemoteError as exc:
            if hint := self._hint(exc, name):
                exc.args = (f"{exc}; {hint}",)
            raise

    def _neighbour(self, name: ModelName) -> Neighbour | None:
        """Under the name itself, or as the files that the catalog means by it."""
        entry = catalog.find(name)
        return self.neighbours.find(name) or (
            self.neighbours.find(entry.source) if entry else None
        )

    def _remote(self, name: ModelName) -> Plan:
        entry = catalog.find(name)
        if entry or name.is_on_hub:
            source = entry.source if entry else name
            return hub_plan(source, self.hub, self.operation)
        return self.repository.plan(self.requests)

    def _local(self, name: ModelName, neighbour: Neighbour) -> Plan:
        """Its files are read once, for their digests; nothing is copied."""
        what = f"{neighbour.owner}'s copy of '{name}'"
        check_files(name, what, neighbour.weights)
        if neighbour.manifest:
            return Plan(neighbour.manifest)
        layers = [self._layer(file, neighbour) for file in neighbour.files]
        manifest, contents = assembled(layers, neighbour.config)
        return Plan(manifest, contents=contents, origin=neighbour.name)

    def _layer(self, file: LocalFile, neighbour: Neighbour) -> Layer:
        digest = file.digest or self._digest(file, neighbour)
        return Layer(f"{LAYER_TYPE}{file.kind}", str(digest), file.size)

    def _digest(self, file: LocalFile, neighbour: Neighbour) -> Digest:
        """Of a file that the other program knows none of."""
        label = clean(file.path.name)
        status = f"using {neighbour.owner}'s copy of {label[:60]}"

        def told(completed: int) -> None:
            self.operation.check()
            self.operation.report(Progress(status, label, file.size, completed))

        return self.blobs.adopt(file.path, told=told)

    def _as_in_catalog(self, plan: Plan, name: ModelName) -> Plan:
        """The plan of files of the hub's with what the catalog says beside them."""
        entry = catalog.find(name)
        if entry is None or plan.origin is None:
            return plan
        manifest, texts = decode(plan.manifest, name), layers_of(entry.modelfile)
        full = Manifest(config=manifest.config, layers=[*manifest.layers, *texts])
        contents = {layer.digest: content for layer, content in texts.items()}
        return replace(
            plan, manifest=encode(full), contents={**plan.contents, **contents}
        )

    def _hint(self, exc: RemoteError, name: ModelName) -> str:
        """What else there is: another program's copy, or a name that is much like it."""
        if neighbour := self._neighbour(name):
            return f"{neighbour.owner} has it on this machine, 'ollapy pull --local {name}' uses that"
        close = "" if isinstance(exc, Unauthorized) else _nearest(name)
        return f"did you mean {close}?" if close else ""


def _nearest(name: ModelName) -> str:
    """Of the catalog's, where the name is none of them but a plain one."""
    if (name.host, name.namespace) != (HOST, NAMESPACE) or catalog.find(name):
        return ""
    return " or ".join(f"'{close}'" for close in catalog.nearest(str(name))[:3])
