"""Planner: where the model of a name is to be had, and how to come by it."""

from __future__ import annotations

from dataclasses import dataclass

from ollapy import catalog
from ollapy.api.ollama import Progress
from ollapy.create.layers import text_layers
from ollapy.download import Plan
from ollapy.errors import NotOnRemote, RemoteError
from ollapy.hub import Hub
from ollapy.hub import plan as hub_plan
from ollapy.hub.plan import assembled
from ollapy.modelfile import Modelfile
from ollapy.names import HOST, NAMESPACE, Digest, ModelName
from ollapy.neighbours import LocalFile, Neighbour, Neighbours
from ollapy.operation import Operation
from ollapy.registry import Repository
from ollapy.registry.requests import Requests
from ollapy.store import Blobs, Layer, Manifest
from ollapy.store.manifests import LAYER_TYPE, decode, encode


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
        neighbour = self.neighbours.find(name)
        if local and neighbour:
            return self._local(neighbour)
        try:
            return self._remote(name)
        except RemoteError as exc:
            if hint := _hint(exc, name, neighbour):
                exc.args = (f"{exc}; {hint}",)
            raise

    def _remote(self, name: ModelName) -> Plan:
        if name.is_on_hub:
            return hub_plan(name, self.hub, self.operation)
        if entry := catalog.find(name):
            source = ModelName.parse(entry.modelfile.sources[0])
            found = hub_plan(source, self.hub, self.operation)
            return _with_texts(found, source, entry.modelfile)
        return self.repository.plan(self.requests)

    def _local(self, neighbour: Neighbour) -> Plan:
        """Its files are read once, for their digests; nothing is copied."""
        digests = {file.path: self._digest(file, neighbour) for file in neighbour.files}
        if neighbour.manifest:
            return Plan(neighbour.manifest)
        layers = [_layer(file, digests[file.path]) for file in neighbour.files]
        manifest, contents = assembled(layers, neighbour.quant)
        return Plan(manifest, contents=contents)

    def _digest(self, file: LocalFile, neighbour: Neighbour) -> Digest:
        status = f"using {neighbour.owner}'s copy of {file.path.name[:60]}"
        label = str(file.digest or file.path.name)

        def told(completed: int) -> None:
            self.operation.check()
            self.operation.report(Progress(status, label, file.size, completed))

        return self.blobs.adopt(file.path, expected=file.digest, told=told)


def _layer(file: LocalFile, digest: Digest) -> Layer:
    return Layer(f"{LAYER_TYPE}{file.kind}", str(digest), file.size)


def _with_texts(plan: Plan, source: ModelName, modelfile: Modelfile) -> Plan:
    """The plan of a repository's files with what a Modelfile says beside them."""
    manifest, texts = decode(plan.manifest, source), text_layers(modelfile)
    full = Manifest(config=manifest.config, layers=[*manifest.layers, *texts])
    contents = {layer.digest: content for layer, content in texts.items()}
    return Plan(encode(full), plan.sources, contents={**plan.contents, **contents})


def _hint(exc: RemoteError, name: ModelName, neighbour: Neighbour | None) -> str:
    """What else there is: another program's copy, or a name that is much like it."""
    if neighbour:
        return f"{neighbour.owner} has it on this machine, 'ollapy pull --local {name}' uses that"
    close = _nearest(name) if isinstance(exc, NotOnRemote) else ""
    return f"did you mean {close}?" if close else ""


def _nearest(name: ModelName) -> str:
    if (name.host, name.namespace) != (HOST, NAMESPACE):
        return ""
    return " or ".join(f"'{close}'" for close in catalog.nearest(str(name))[:3])
