"""The plan of a model on the hub: which of a repository's files it is, and the manifest that they make."""

from __future__ import annotations

import msgspec

from ollapy.download import Plan, Source
from ollapy.errors import InvalidRequest, NotOnRemote, RemoteError
from ollapy.gguf.choice import choices, projector_for, quants_of, weights_of
from ollapy.gguf.filenames import GgufModel, Kind, models_of
from ollapy.names import TAG, Digest, ModelName
from ollapy.operation import Operation
from ollapy.store import Layer, Manifest, ModelConfig
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, digest_of, encode
from ollapy.text import clean

from .failures import denied
from .hub import Hub
from .listing import Listing, RepoFile

_MAX_SHOWN = 24


def plan(name: ModelName, hub: Hub, operation: Operation) -> Plan:
    """How to come by the model of `hf.co/user/repository[:quantisation|:file]`."""
    found = hub.listing(name, operation)
    weights, projector = chosen(name, found)
    kinds = dict.fromkeys(weights.paths, Kind.WEIGHTS)
    if projector:
        kinds |= dict.fromkeys(projector.paths, Kind.PROJECTOR)
    layers = {
        path: _layer(name, found.files[path], kind) for path, kind in kinds.items()
    }
    config = ModelConfig(
        model_format="gguf",
        model_family=found.architecture,
        model_families=[found.architecture] if found.architecture else None,
        file_type=weights.first.quant or "unknown",
    )
    manifest, contents = assembled([*layers.values()], config)
    refused = denied(found.repository, hub.endpoint, is_gated=found.is_gated)
    sources = {
        layer.digest: Source(hub.url(found, path), hub.headers, refused)
        for path, layer in layers.items()
    }
    return Plan(manifest, sources, contents, origin=name)


def assembled(
    layers: list[Layer], config: ModelConfig
) -> tuple[bytes, dict[Digest, bytes]]:
    """The manifest of files that came without one, and its configuration."""
    full = msgspec.structs.replace(config, architecture="amd64", os="linux")
    content = msgspec.json.encode(full)
    digest = digest_of(content)
    layer = Layer(CONFIG_TYPE, str(digest), len(content))
    return encode(Manifest(config=layer, layers=layers)), {digest: content}


def chosen(name: ModelName, found: Listing) -> tuple[GgufModel, GgufModel | None]:
    """The weights that a name means, and what they need to see; NotOnRemote says what there is instead."""
    models = models_of(found.files)
    if not weights_of(models):
        raise NotOnRemote(_without_gguf(found))
    tag = "" if name.tag == TAG else name.tag
    fitting = choices(models, tag, name.model)
    if not fitting:
        there = _listed(quants_of(models))
        raise NotOnRemote(f"'{found.repository}' has no '{tag}', it has {there}")
    if len(fitting) > 1:
        files = _listed([model.first.path.rpartition("/")[2] for model in fitting])
        raise InvalidRequest(
            f"'{found.repository}' holds several models, name the file: {files}"
        )
    return _checked(fitting[0], found), projector_for(fitting[0], models)


def _checked(model: GgufModel, found: Listing) -> GgufModel:
    if model.first.kind is Kind.PROJECTOR:
        raise InvalidRequest(
            f"'{clean(model.first.path)}' is a projector, not a model: name the weights it belongs to"
        )
    if not model.is_whole:
        raise NotOnRemote(
            f"'{found.repository}' has only {len(model.parts)} of the {model.first.num_parts} parts "
            f"of '{clean(model.first.stem)}'"
        )
    return model


def _without_gguf(found: Listing) -> str:
    none = f"'{found.repository}' has no GGUF file that is a model"
    if not found.has_safetensors:
        return none
    return (
        f"{none}, only safetensors: look for a repository with '-GGUF' in its name, or 'hf download' it "
        "and make a model of the folder with 'ollapy create'"
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return ", ".join(map(clean, names[:_MAX_SHOWN])) + more


def _layer(name: ModelName, file: RepoFile, kind: Kind) -> Layer:
    if file.digest is None or not file.size:
        raise RemoteError(
            f"the hub gives no sha256 of '{clean(file.path)}', so it could not be verified"
        )
    source = f"{name.host}/{name.namespace}/{name.model}/{clean(file.path)}"
    return Layer(f"{LAYER_TYPE}{kind}", str(file.digest), file.size, from_=source)
