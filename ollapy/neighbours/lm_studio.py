"""LM Studio's folder: `<publisher>/<repository>/<file>.gguf`, both as they are called on Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ollapy.names import Digest, ModelName

from .folders import Folders
from .mirror import Mirror
from .neighbour import Copy, Neighbour

OWNER = "LM Studio"
_DEPTH = 2  # of files in a repository


@dataclass(frozen=True)
class LmStudio:
    """One folder; nothing of it is kept in mind."""

    root: Path

    def models(self) -> list[Neighbour]:
        """All of them."""
        return [model for mirror in self._mirrors() for model in mirror.models()]

    def find(self, name: ModelName) -> Neighbour | None:
        """The model of that name."""
        mirrors = self._mirrors(name)
        return next(filter(None, (mirror.find(name) for mirror in mirrors)), None)

    def copies(
        self, _digest: Digest, size: int, origin: ModelName | None
    ) -> list[Copy]:
        """Files of the repository that have the size: no digests are known here."""
        if origin is None:
            return []
        files = (
            file for mirror in self._mirrors(origin) for file in mirror.files.values()
        )
        return [Copy(file.path, OWNER) for file in files if file.size == size]

    def _mirrors(self, name: ModelName | None = None) -> Iterator[Mirror]:
        """Those of the repositories, or of the name's alone."""
        look = Folders()
        for publisher in look.folders(self.root):
            if name is not None and publisher.name.lower() != name.namespace.lower():
                continue
            for folder in look.folders(publisher):
                mirror = Mirror(OWNER, publisher.name, folder.name, {})
                if name is None or mirror.is_of(name):
                    yield replace(mirror, files=look.models(folder, _DEPTH))
