"""The cache of huggingface-hub: `models--<user>--<repository>/{blobs,refs,snapshots}`.

A snapshot's files are links to blobs, and a blob that the hub keeps in LFS or Xet is named by its sha256.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ollapy.names import Digest, ModelName

from .folders import Folders
from .mirror import Mirror
from .neighbour import Copy, LocalFile, Neighbour

OWNER = "Hugging Face"
_REPOSITORY = re.compile(r"models--(.+?)--(.+)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{1,64}")
_DEPTH = 3  # of files in a repository


@dataclass(frozen=True)
class HubCache:
    """One cache; nothing of it is kept in mind."""

    root: Path

    def models(self) -> list[Neighbour]:
        """Those of every snapshot, the newest first."""
        return [model for mirror in self._mirrors() for model in mirror.models()]

    def find(self, name: ModelName) -> Neighbour | None:
        """The model of that name."""
        mirrors = self._mirrors(name)
        return next(filter(None, (mirror.find(name) for mirror in mirrors)), None)

    def copies(
        self, digest: Digest, size: int, _origin: ModelName | None
    ) -> list[Copy]:
        """Files with that digest."""
        found = (folder / "blobs" / digest.hex for folder, _, _ in self._repositories())
        return [Copy(path, OWNER) for path in found if _size(path) == size]

    def _repositories(self) -> Iterator[tuple[Path, str, str]]:
        for folder in Folders().folders(self.root):
            if found := _REPOSITORY.fullmatch(folder.name):
                yield folder, found[1], found[2]

    def _mirrors(self, name: ModelName | None = None) -> Iterator[Mirror]:
        """Those of the repositories, or of the name's alone."""
        look = Folders()
        for folder, user, repository in self._repositories():
            mirror = Mirror(OWNER, user, repository, {})
            if name is None or mirror.is_of(name):
                for files in _snapshots(folder, look):
                    yield replace(mirror, files=files)


def _snapshots(folder: Path, look: Folders) -> Iterator[Mapping[str, LocalFile]]:
    """The files of the main branch as it was last seen, then those of other snapshots, the last first."""
    commit = _main(folder)
    snapshots = [*look.folders(folder / "snapshots")]
    snapshots.sort(key=lambda path: (path.name == commit, _time(path)), reverse=True)
    for snapshot in snapshots:
        files = look.models(snapshot, _DEPTH)
        yield {path: _identified(file) for path, file in files.items()}


def _main(folder: Path) -> str:
    try:
        with (folder / "refs" / "main").open("rb") as file:
            text = file.read(64).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if _COMMIT.fullmatch(text) else ""


def _identified(file: LocalFile) -> LocalFile:
    """With the digest that the blob's name is."""
    try:
        name = file.path.readlink().name
    except OSError:  # no link: the cache is on a disk without them
        return file
    if not _SHA256.fullmatch(name):
        return file
    return replace(file, digest=Digest(name))


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
