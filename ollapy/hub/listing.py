"""Listing: what a repository of the hub holds, at one commit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ollapy.errors import InvalidRequest, RemoteError
from ollapy.names import Digest
from ollapy.text import clean

if TYPE_CHECKING:  # slow to import, and only a pull from the hub needs it
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ARCHITECTURE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class RepoFile:
    """A file of a repository; there is no digest where git itself keeps it."""

    path: str
    size: int
    digest: Digest | None


@dataclass(frozen=True)
class Listing:
    """A repository as it is at `commit`. `architecture` is what the hub has read in its GGUF files, or empty."""

    repository: str
    commit: str
    files: dict[str, RepoFile] = field(repr=False)
    is_gated: bool = False
    architecture: str = ""

    @property
    def has_safetensors(self) -> bool:
        """Whether there are weights that `ollapy create` may know how to convert."""
        return any(path.endswith(".safetensors") for path in self.files)


def listing(repository: str, info: ModelInfo) -> Listing:
    """What the hub has said, believed only where it is well-formed."""
    commit = info.sha or ""
    if not _COMMIT.fullmatch(commit):
        raise RemoteError(f"the hub does not say what '{repository}' is now")
    files = {file.rfilename: _file(file) for file in info.siblings or []}
    return Listing(
        repository, commit, files, bool(info.gated), _architecture(info.gguf)
    )


def _file(file: RepoSibling) -> RepoFile:
    if not isinstance(file.rfilename, str):
        raise TypeError("a file's name is no text")
    digest, size = None, file.size
    if file.lfs is not None:
        size = file.lfs.size
        try:
            digest = Digest.parse(f"sha256:{file.lfs.sha256}")
        except InvalidRequest:
            raise RemoteError(
                f"the hub gives no valid digest of '{clean(file.rfilename)}'"
            ) from None
    return RepoFile(file.rfilename, size if size and size > 0 else 0, digest)


def _architecture(gguf: dict[str, Any] | None) -> str:
    found = (gguf or {}).get("architecture")
    return found if isinstance(found, str) and _ARCHITECTURE.fullmatch(found) else ""
