"""Pruning: what of the store nobody needs, and its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ollapy.names import Digest

from .durable import sync_folder, translated
from .files import File, Kind, Thing
from .locks import download_lock

_HOUR, _WEEK = 3600.0, 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that things stay although nobody seems to need them.

    A blob may be another program's that is about to name it, and which knows nothing of leases. A download
    may be resumed.
    """

    blobs: float = _HOUR
    downloads: float = _WEEK


@dataclass(frozen=True, slots=True)
class Waste:
    """A thing that nobody needs, and its files."""

    thing: Thing
    files: list[File]

    @property
    def size(self) -> int:
        """The bytes that deleting it frees."""
        return sum(file.size for file in self.files)


def unneeded(files: Iterable[File], needed: set[Digest], limits: Limits) -> list[Waste]:
    """What may go.

    1. A blob, or the reference that stands for it, that nothing needs, once it is old enough.
    2. A download or a damaged blob once nobody has touched it for long, or once the blob is here whole.
    3. What was being written, once nobody has written to it for an hour.
    4. Nothing else: what is not ours by its name stays.
    """
    things: dict[Thing, list[File]] = defaultdict(list)
    for file in files:
        if thing := file.thing:
            things[thing].append(file)
    whole = {thing.digest for thing in things if thing.kind is Kind.BLOB}
    found = []
    for thing, group in things.items():
        age = min(file.age for file in group)
        match thing.kind:
            case Kind.BLOB | Kind.REFERENCE:
                goes = thing.digest not in needed and age >= limits.blobs
            case Kind.DOWNLOAD | Kind.DAMAGED:
                goes = thing.digest in whole or age >= limits.downloads
            case Kind.LEFTOVER:
                group = [file for file in group if file.age >= _HOUR]
                goes = bool(group)
        if goes:
            found.append(Waste(thing, group))
    return found


def delete(wastes: Iterable[Waste]) -> list[Waste]:
    """Delete them under the store's lock, but no download that is under way; says what has gone."""
    gone = [waste for waste in wastes if _delete(waste)]
    with translated("delete from the model store"):
        for folder in {file.path.parent for waste in gone for file in waste.files}:
            sync_folder(folder)
    return gone


def _delete(waste: Waste) -> bool:
    kind, digest = waste.thing
    if kind is not Kind.DOWNLOAD or digest is None:
        _unlink(waste.files)
        return True
    lock = download_lock(waste.files[0].path.with_name(digest.filename))
    if not lock.acquire(blocking=False):
        return False
    try:
        _unlink(file for file in waste.files if file.path != lock.path)
    finally:
        lock.release(remove=True)
    return True


def _unlink(files: Iterable[File]) -> None:
    with translated("delete from the model store"):
        for file in files:
            file.path.unlink(missing_ok=True)
