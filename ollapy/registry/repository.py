"""Repository: one model's place on a registry (OCI distribution-spec, as Ollama's registry speaks it)."""

from __future__ import annotations

import msgspec

from ollapy.decoding import from_json
from ollapy.download.plan import Plan, Source
from ollapy.errors import CorruptManifest, RemoteError
from ollapy.names import Digest, ModelName
from ollapy.net.retry import BRIEF
from ollapy.store.manifests import MANIFEST_TYPE, MAX_MANIFEST, Manifest, decode

from .access import Access
from .requests import Requests

OCI_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEXES = ("manifest.list", "image.index")


class _Kind(msgspec.Struct, rename="camel"):
    """What a manifest says that it is."""

    schema_version: int = 0
    media_type: str = ""
    manifests: list[msgspec.Raw] | None = None


class Repository:
    """Where `name` is on its registry."""

    def __init__(self, name: ModelName, access: Access) -> None:
        self.name = name
        self._access = access
        self.url = f"{access.origin}/v2/{name.namespace}/{name.model}"

    def blob_url(self, digest: Digest) -> str:
        """Where the blob is, or would be."""
        return f"{self.url}/blobs/{digest}"

    @property
    def manifest_url(self) -> str:
        """Where the manifest is, or would be."""
        return f"{self.url}/manifests/{self.name.tag}"

    def plan(self, requests: Requests) -> Plan:
        """The manifest and its blobs. RemoteError for a manifest that is not a model's."""
        reply = requests.send(
            "pull model manifest",
            "GET",
            self.manifest_url,
            headers={"Accept": f"{MANIFEST_TYPE}, {OCI_TYPE}"},
            limit=MAX_MANIFEST + 1,
            fine=(200,),
            patience=BRIEF,
        )
        manifest = check(reply.body, self.name)
        return Plan(
            reply.body,
            {
                digest: Source(self.blob_url(digest), self._access.headers)
                for digest in manifest.digests
            },
        )


def check(data: bytes, name: ModelName) -> Manifest:
    """The manifest of a model, as a registry sent it."""
    try:
        manifest = decode(data, name)
        kind = from_json(data, _Kind)
    except (CorruptManifest, msgspec.DecodeError) as exc:
        if _is_index(data):
            raise RemoteError(
                f"'{name}' is a multi-platform index, which is not a model"
            ) from exc
        reason = str(exc.__cause__ or exc)
        raise RemoteError(f"the manifest of '{name}' is not valid: {reason}") from exc
    sizes: dict[Digest, int] = {}
    for layer in (manifest.config, *manifest.layers):
        if sizes.setdefault(layer.digest, layer.size) != layer.size:
            raise RemoteError(
                f"the manifest of '{name}' is not valid: {layer.digest} has two sizes"
            )
    if _is_index(data):
        raise RemoteError(f"'{name}' is a multi-platform index, which is not a model")
    if kind.schema_version != 2:
        raise RemoteError(
            f"the manifest of '{name}' is not valid: its schema version is not 2"
        )
    if not manifest.layers_of("model"):
        raise RemoteError(f"'{name}' is not a model: its manifest names no weights")
    return manifest


def _is_index(data: bytes) -> bool:
    try:
        kind = from_json(data, _Kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return kind.manifests is not None or any(i in kind.media_type for i in _INDEXES)
