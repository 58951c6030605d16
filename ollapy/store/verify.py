"""Verifying: whether every byte of the store is still what its digest says."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ollapy.api.ollama import Progress
from ollapy.errors import CorruptManifest, InvalidRequest, OllapyError, StoreError
from ollapy.names import Digest, ModelName
from ollapy.operation import Operation

from .blobs import MAX_SMALL, Blobs
from .durable import set_aside, translated
from .files import Kind, files
from .locks import download_lock
from .manifests import Entry, Manifests
from .references import Reference
from .regular import RegularFile

logger = logging.getLogger(__name__)

_TOLD = 16 << 20  # bytes between two reports


class State(StrEnum):
    """What a blob turns out to be."""

    SOUND = "is sound"
    MISSING = "is missing"
    DAMAGED = "is damaged"
    CHANGED = "has moved or changed"  # the file that it refers to


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong, in a sentence that says what to do, and the models that it is wrong with."""

    problem: str
    models: tuple[ModelName, ...] = ()
    digest: Digest | None = None
    state: State | None = None


@dataclass(slots=True)
class Part:
    """A blob, what it is for, and the size that each model says it has; of no model where none needs it."""

    digest: Digest
    kind: str = "blob"
    sizes: dict[ModelName, int] = field(default_factory=dict)


def parts(entries: Iterable[Entry], others: Iterable[Digest] = ()) -> list[Part]:
    """Every blob once, those of models first."""
    found: dict[Digest, Part] = {}
    for entry in entries:
        for layer in (*entry.manifest.layers, entry.manifest.config):
            part = found.setdefault(layer.digest, Part(layer.digest, layer.kind))
            part.sizes[entry.name] = layer.size
    for digest in others:
        found.setdefault(digest, Part(digest))
    return [*found.values()]


def verify(
    manifests: Manifests, blobs: Blobs, names: list[ModelName], operation: Operation
) -> list[Damage]:
    """What is wrong with these models, or without names with anything at all."""
    entries, damaged = _read(manifests, names)
    others = [] if names else _digests(blobs)
    verifier = Verifier(blobs, operation)
    found = [Damage(str(exc), (name,)) for name, exc in damaged.items()]
    for part in parts(entries, others):
        found += verifier.check(part)
    return [damage for damage in found if _is_still_there(manifests, damage)]


def _read(
    manifests: Manifests, names: list[ModelName]
) -> tuple[list[Entry], dict[ModelName, OllapyError]]:
    if not names:
        return manifests.read_all()
    entries: list[Entry] = []
    damaged: dict[ModelName, OllapyError] = {}
    for name in names:
        try:
            entry = manifests.find(name)
        except CorruptManifest as exc:
            damaged[name] = exc
        else:
            entries += [entry] if entry else []
    return entries, damaged


def _digests(blobs: Blobs) -> list[Digest]:
    """What is here under a digest's name, needed or not."""
    found = [file.thing for file in files(blobs.root, 0)]
    own = [thing.digest for thing in found if thing and thing.kind is Kind.BLOB]
    return [digest for digest in own if digest] + blobs.references.digests()


def _is_still_there(manifests: Manifests, damage: Damage) -> bool:
    """Whether it is no model that somebody has removed meanwhile, with its blobs."""
    if not damage.models:
        return damage.state is not State.MISSING
    try:
        return any(manifests.find(name) for name in damage.models)
    except CorruptManifest:
        return True


class Verifier:
    """Looks at one blob after the other. Reads blobs whole. What is not what its digest says is set aside, so that a pull brings just that again."""

    def __init__(self, blobs: Blobs, operation: Operation) -> None:
        self._blobs = blobs
        self._operation = operation

    def check(self, part: Part) -> list[Damage]:
        """What is wrong with a blob; mostly nothing."""
        self._operation.check()
        try:
            state = self._state(part.digest)
        except StoreError as exc:  # it is not ours to read
            return [_unreadable(part, exc)]
        if state is State.SOUND:
            return _wrong_sizes(part, self._blobs.size(part.digest))
        return [_damage(part, state)]

    def _state(self, digest: Digest) -> State:
        own, reference = self._blobs.path(digest), self._blobs.references.find(digest)
        if not _is_there(own):
            if reference is None:
                return State.MISSING
            return self._referred(digest, Path(reference.path))
        if self._is(digest, own):
            return State.SOUND
        self._set_aside(digest, own)
        return State.CHANGED if reference else State.DAMAGED

    def _referred(self, digest: Digest, path: Path) -> State:
        is_same = _is_there(path) and self._is(digest, path)
        return State.SOUND if is_same else State.CHANGED

    def _is(self, digest: Digest, path: Path) -> bool:
        """Whether the file is what the digest says. If it is, it is trusted as it is now."""
        try:
            with RegularFile(path) as file:
                if file.digest(self._told(digest, file.stat.st_size)) != digest:
                    return False
                known = self._blobs.references.find(digest)
                if known and not known.is_true_of(file.stat):
                    now = Reference.to(Path(known.path), file.stat)
                    self._blobs.references.write(digest, now)
        except InvalidRequest:  # a folder, link, pipe or device in its place
            return False
        except StoreError as exc:
            if getattr(exc.__cause__, "errno", None) == errno.EIO:  # the disk fails
                return False
            raise
        return True

    def _told(self, digest: Digest, size: int) -> Callable[[int], None]:
        status = f"verifying {digest.hex[:12]}"

        def told(completed: int) -> None:
            self._operation.check()
            if size > MAX_SMALL and (completed % _TOLD == 0 or completed == size):
                self._operation.report(Progress(status, str(digest), size, completed))

        return told

    def _set_aside(self, digest: Digest, path: Path) -> None:
        """Unless somebody is just downloading it again, or the store is not ours to change."""
        lock = download_lock(self._blobs.path(digest))
        try:
            if lock.acquire(blocking=False):
                with translated("set aside in the model store"):
                    set_aside(path)
        except StoreError as exc:
            logger.warning("damaged blob stays digest=%s: %s", digest, exc)
        finally:
            lock.release(remove=True)


def _is_there(path: Path) -> bool:
    with translated("read from the model store"):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def _wrong_sizes(part: Part, size: int | None) -> list[Damage]:
    wrong = tuple(name for name, given in part.sizes.items() if given != size)
    if not wrong or size is None:  # None: it has just been removed
        return []
    problem = (
        f"the manifest of {_list(wrong)} is wrong about the size of its {part.kind}, "
        "remove the model or pull it again"
    )
    return [Damage(problem, wrong, part.digest)]


def _unreadable(part: Part, exc: StoreError) -> Damage:
    models = tuple(part.sizes)
    problem = f"the {part.kind} of {_list(models)}: {exc}" if models else str(exc)
    return Damage(problem, models, part.digest)


def _damage(part: Part, state: State) -> Damage:
    models = tuple(part.sizes)
    if not models:
        problem = f"blob {part.digest} {state}, no model needs it"
    elif state is State.CHANGED:
        problem = f"the file that {_list(models)} refers to {state}: import it again"
    else:
        problem = f"the {part.kind} of {_list(models)} {state}, pull the model again"
    return Damage(problem, models, part.digest, state)


def _list(names: Iterable[ModelName]) -> str:
    return ", ".join(f"'{name}'" for name in names)
