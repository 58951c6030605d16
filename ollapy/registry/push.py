"""Push: a model's blobs and then its manifest to a registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urljoin

import msgspec

from ollapy.api.ollama import Progress
from ollapy.decoding import from_json
from ollapy.errors import CorruptManifest, InvalidName, RemoteError
from ollapy.names import ModelName
from ollapy.net.http import Reply
from ollapy.operation import Operation
from ollapy.store import Blobs, Layer
from ollapy.store.manifests import MANIFEST_TYPE, Entry

from .repository import Repository
from .requests import Requests

_PART = 64 * 1024 * 1024
_MAX_UPLOADS = 3
_FORGOTTEN = (404, 416)
_INTERVAL = 0.06  # seconds between two records


class _Forgotten(RemoteError):
    """The registry does not know the upload any more, or knows another state of it."""


class _MediaType(msgspec.Struct, rename="camel"):
    media_type: str = MANIFEST_TYPE


class _Slice:
    """Part of a file, to be sent; tells how much of it has been read."""

    def __init__(
        self, path: Path, offset: int, count: int, read: Callable[[int], None]
    ) -> None:
        self._file = path.open("rb", buffering=0)
        self._offset, self._count = offset, count
        self._told = read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def rewind(self) -> None:
        self._file.seek(self._offset)

    def read(self, count: int = -1, /) -> bytes:
        left = self._offset + self._count - self._file.tell()
        data = self._file.read(left if count < 0 else min(count, left))
        self._told(self._file.tell())
        return data


def push(
    repository: Repository,
    entry: Entry,
    blobs: Blobs,
    requests: Requests,
    operation: Operation,
) -> None:
    """Upload what the registry does not have yet. Nothing is published before all of it is there."""
    for layer in (*entry.manifest.layers, entry.manifest.config):
        path = blobs.find(layer.digest)
        if path is None:
            raise CorruptManifest(
                f"the {layer.kind} of '{entry.name}' is missing or damaged, pull the model again"
            )
        _Upload(repository, layer, path, requests, operation).run()
    operation.status("pushing manifest")
    kind = from_json(entry.data, _MediaType).media_type
    requests.send(
        "push model manifest",
        "PUT",
        repository.manifest_url,
        headers={"Content-Type": kind},
        body=entry.data,
    )


class _Upload:
    """One blob on its way."""

    def __init__(
        self,
        repository: Repository,
        layer: Layer,
        path: Path,
        requests: Requests,
        operation: Operation,
    ) -> None:
        self._repository = repository
        self._layer = layer
        self._path = path
        self._requests = requests
        self._operation = operation
        self._what = f"push {layer.digest.hex[:12]}"
        self._completed = 0
        self._told_at = 0.0

    def run(self) -> None:
        self._tell(0)
        if not (self._is_there() or self._is_mounted()):
            self._upload()
        self._tell(self._layer.size)

    def _upload(self) -> None:
        """From its beginning, again where the registry forgets an upload that broke off."""
        for _ in range(_MAX_UPLOADS - 1):
            with suppress(_Forgotten):
                self._finish(self._send_parts(self._begin()))
                return
        self._finish(self._send_parts(self._begin()))

    def _is_there(self) -> bool:
        url = self._repository.blob_url(self._layer.digest)
        reply = self._requests.send(self._what, "HEAD", url, fine=(200, 404))
        return reply.status == 200

    def _is_mounted(self) -> bool:
        """Whether the registry took the blob from the model that this one was made from."""
        parent = _same_host(self._layer.from_, self._repository.name)
        if parent is None:
            return False
        query = f"?mount={self._layer.digest}&from={parent.namespace}/{parent.model}"
        reply = self._post(query)
        return reply.status == 201

    def _begin(self) -> str:
        return self._next(self._post(""), f"{self._repository.url}/blobs/uploads/")

    def _post(self, query: str) -> Reply:
        url = f"{self._repository.url}/blobs/uploads/{query}"
        return self._requests.send(self._what, "POST", url, body=b"")

    def _send_parts(self, location: str) -> str:
        """Part after part; where the last one was taken, the next goes."""
        for offset in range(0, self._layer.size, _PART):
            count = min(_PART, self._layer.size - offset)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"{offset}-{offset + count - 1}",
            }
            with _Slice(self._path, offset, count, self._told) as part:
                reply = self._go_on("PATCH", location, part, headers)
            location = self._next(reply, location)
        return location

    def _finish(self, location: str) -> None:
        joint = "&" if "?" in location else "?"
        url = f"{location}{joint}digest={self._layer.digest}"
        self._go_on("PUT", url, b"")

    def _go_on(
        self,
        method: str,
        url: str,
        body: bytes | _Slice,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        reply = self._requests.send(
            self._what,
            method,
            url,
            headers=headers,
            body=body,
            fine=(200, 201, 202, 204, *_FORGOTTEN),
        )
        if reply.status in _FORGOTTEN:
            raise _Forgotten(f"{self._what}: the registry forgot the upload")
        return reply

    def _next(self, reply: Reply, url: str) -> str:
        location = reply.headers.get("docker-upload-location") or reply.headers.get(
            "location"
        )
        if not location:
            raise RemoteError(f"{self._what}: the registry does not say where to")
        return urljoin(url, location)

    def _told(self, offset: int) -> None:
        self._operation.check()
        if time.monotonic() - self._told_at >= _INTERVAL:
            self._tell(offset)

    def _tell(self, completed: int) -> None:
        """Report; a part that is sent again does not go backwards."""
        self._told_at = time.monotonic()
        self._completed = max(self._completed, completed)
        digest, size = self._layer.digest, self._layer.size
        status = f"pushing {digest.hex[:12]}"
        self._operation.report(Progress(status, str(digest), size, self._completed))


def _same_host(text: str, name: ModelName) -> ModelName | None:
    try:
        parent = ModelName.parse(text)
    except InvalidName:
        return None
    return parent if parent.host == name.host else None
