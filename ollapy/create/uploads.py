"""Upload: a file of the client's that is a blob here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ollapy.errors import InvalidRequest
from ollapy.names import Digest
from ollapy.store import Blobs
from ollapy.store.durable import translated

_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class Upload:
    """Its name at the client's, and where its bytes are."""

    name: PurePosixPath
    digest: Digest
    path: Path
    size: int

    @property
    def is_gguf(self) -> bool:
        """As its first bytes say, whatever its name is."""
        with translated("read from the model store"), self.path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC


def uploads(files: Mapping[PurePosixPath, Digest], blobs: Blobs) -> list[Upload]:
    """The files, in the order of their names; InvalidRequest where one has not been brought."""
    return [_upload(name, files[name], blobs) for name in sorted(files)]


def _upload(name: PurePosixPath, digest: Digest, blobs: Blobs) -> Upload:
    path, size = blobs.locate(digest)
    if path is None or size is None:
        raise InvalidRequest(
            f"blob {digest} of '{name}' is not in the store, upload it first"
        )
    return Upload(name, digest, path, size)
