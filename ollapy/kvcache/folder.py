"""Folder: the branches of one model on the disk, as other processes may have left or taken them."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock

import msgspec

from .branch import Branch, Outline, common
from .file import Unusable, is_private, read_branch, read_outline, write_branch
from .usage import SUFFIX, NoRoom, folder_name, make_room, trim

logger = logging.getLogger(__name__)


class Folder:
    """Of what one configuration of a model computes, which `identity` says all about. From any thread.

    `weights` is the digest, and `paths` are the files, that it is computed with.
    """

    def __init__(
        self,
        root: Path,
        max_bytes: int,
        identity: object,
        weights: str = "",
        paths: Sequence[Path] = (),
    ) -> None:
        data = msgspec.json.encode(identity, order="deterministic")
        self._key = hashlib.sha256(data).hexdigest()[:40]
        self._root, self._max_bytes, self._paths = root, max_bytes, paths
        self._folder = root / folder_name(weights, self._key)
        self._known: dict[str, Outline] = {}
        self._seen_at = -1
        self._looking = RLock()

    def outlines(self) -> dict[str, Outline]:
        """What there is, by name; looks again only when something has come or gone."""
        with self._looking:
            try:
                changed_at = self._folder.stat().st_mtime_ns
                if changed_at != self._seen_at:
                    self._look()
                    self._seen_at = changed_at
            except OSError:
                self._known, self._seen_at = {}, -1
            return dict(self._known)  # others may change it meanwhile

    def read(self, name: str) -> Branch | None:
        """A branch, which counts as used now; None where it is gone or of no use, and is gone then."""
        path = self._path(name)
        try:
            branch = read_branch(path, self._key)
            os.utime(path)
        except FileNotFoundError:
            with self._looking:
                self._known.pop(name, None)
            return None
        except (OSError, Unusable, MemoryError) as exc:
            self._drop(name, exc)
            return None
        return branch

    def write(self, branch: Branch, deadline: float) -> bool:
        """Keep a branch, in place of those that it goes on from; whether it is kept."""
        outline = branch.outline
        name = outline.name
        try:
            if not self._is_wanted() or not self._prepare(outline):
                return False
            if not write_branch(self._path(name), self._key, branch, deadline):
                return False
            trim(self._root, self._max_bytes)  # others have written meanwhile
        except (OSError, NoRoom) as exc:
            why = getattr(exc, "strerror", None) or exc
            logger.warning("kv cache: %d tokens not kept: %s", len(outline.tokens), why)
            return False
        for old, other in self.outlines().items():
            if old != name and _begins(outline, other):
                self.remove(old)
        return True

    def remove(self, name: str) -> None:
        """Have it no more."""
        with self._looking:
            self._known.pop(name, None)
        with suppress(OSError):
            self._path(name).unlink()

    def _is_wanted(self) -> bool:
        """Whether the model is still there to be loaded again."""
        return all(path.exists() for path in self._paths)

    def _prepare(self, outline: Outline) -> bool:
        """Have both folders, and room in them; whether they may be used."""
        self._make()
        if not self._is_safe():
            return False
        size = outline.size + outline.tokens.nbytes + 4096
        make_room(self._root, size, self._max_bytes)
        self._make()  # which may have gone with the last of its files
        return True

    def _make(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def _is_safe(self) -> bool:
        """Whether both folders are the user's, and nobody else could have put anything there."""
        for folder in (self._root, self._folder):
            if folder.is_symlink() or not is_private(folder.lstat()):
                logger.warning(
                    "kv cache: not used, as others can reach its folder %s: it must be yours alone (chmod 700)",
                    folder.name,
                )
                return False
        return True

    def _look(self) -> None:
        found = self._folder.iterdir() if self._is_safe() else ()
        names = {path.stem for path in found if path.suffix == SUFFIX}
        self._known = {k: v for k, v in self._known.items() if k in names}
        for name in names - self._known.keys():
            try:
                self._known[name] = read_outline(self._path(name), self._key)
            except FileNotFoundError:
                continue
            except (OSError, Unusable, MemoryError) as exc:
                self._drop(name, exc)

    def _drop(self, name: str, reason: Exception) -> None:
        why = getattr(reason, "strerror", None) or reason
        logger.warning("kv cache: ignored and removed file=%s: %s", name, why)
        self.remove(name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


def _begins(longer: Outline, shorter: Outline) -> bool:
    """Whether one branch goes on from where another ends."""
    return (
        longer.adapters == shorter.adapters
        and common(longer.tokens, shorter.tokens) == len(shorter.tokens)
    )  # fmt: skip
