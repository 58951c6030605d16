"""What other programs keep on a machine, laid out as they do it, and a look at whether it stays as it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ollapy.names import ModelName

from .offer import Offer

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class Others:
    """A home with the folders of Ollama, huggingface-hub and LM Studio."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ollama = home / ".ollama" / "models"
        self.cache = home / ".cache" / "huggingface" / "hub"
        self.lm_studio = home / ".lmstudio" / "models"

    def add_to_ollama(self, name: str, offered: Offer) -> list[Path]:
        """Its blobs, the configuration first."""
        blobs = {
            self.ollama / "blobs" / digest.replace(":", "-"): data
            for digest, data in offered.blobs.items()
        }
        manifest = self.ollama / "manifests" / ModelName.parse(name).path
        for path, data in {**blobs, manifest: offered.data}.items():
            _write(path, data)
        return [*blobs]

    def add_to_cache(
        self, repository: str, commit: str = COMMIT, **files: bytes
    ) -> Path:
        """The snapshot; the names of files have `__` for what no keyword can have."""
        folder = self.cache / f"models--{repository.replace('/', '--')}"
        snapshot = folder / "snapshots" / commit
        for name, data in _named(files).items():
            blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
            _write(blob, data)
            link = snapshot / name
            link.parent.mkdir(parents=True, exist_ok=True)
            ups = "../" * (2 + name.count("/"))
            link.symlink_to(f"{ups}blobs/{blob.name}")
        _write(folder / "refs" / "main", commit.encode())
        return snapshot

    def add_to_lm_studio(self, repository: str, **files: bytes) -> Path:
        """The repository's folder; names as above."""
        folder = self.lm_studio / repository
        for name, data in _named(files).items():
            _write(folder / name, data)
        return folder

    def state(self) -> dict[str, object]:
        """All of it: what each file is, when it was changed, and its bytes."""
        return {str(path): _state(path) for path in self.home.rglob("*")}


def _named(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name.replace("__", "-") + ".gguf": data for name, data in files.items()}


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _state(path: Path) -> object:
    found = path.lstat()
    kind = (found.st_mode, found.st_ino, found.st_mtime_ns, found.st_uid)
    if path.is_symlink():
        return *kind, path.readlink()
    return *kind, path.read_bytes() if path.is_file() else None
