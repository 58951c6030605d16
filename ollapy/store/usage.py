"""Usage: what takes how much of the disk, and what would be free without it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ollapy.names import Digest, ModelName

from .files import File, Kind
from .manifests import Entry


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """A model's bytes. `own` is what removing it frees, `shared` what the models of `shared_with` need too.

    `elsewhere` are bytes in files that are not the store's, or not its alone: they take nothing here.
    """

    name: ModelName
    size: int
    own: int
    shared: int
    elsewhere: int
    shared_with: list[ModelName]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the whole store takes; and of that what no model needs, downloads that are not whole, and leftovers."""

    models: list[ModelUsage]
    total: int
    unneeded: int
    downloads: int
    leftovers: int


def usage(entries: Iterable[Entry], files: Iterable[File]) -> Usage:
    """Of the entries in their order; `files` are all of the store's."""
    entries, files = [*entries], [*files]
    users = _users(entries)
    sizes: dict[Digest, int] = {}
    kinds: dict[Kind | None, int] = defaultdict(int)
    for file in files:
        kind, digest = file.thing or (None, None)
        kinds[kind] += file.size
        if kind is Kind.BLOB and digest:
            sizes[digest] = file.size
    return Usage(
        models=[_usage(entry, users, sizes) for entry in entries],
        total=sum(kinds.values()),
        unneeded=sum(size for digest, size in sizes.items() if digest not in users),
        downloads=kinds[Kind.DOWNLOAD],
        leftovers=kinds[Kind.LEFTOVER] + kinds[Kind.DAMAGED],
    )


def _users(entries: Iterable[Entry]) -> dict[Digest, list[ModelName]]:
    users: dict[Digest, list[ModelName]] = defaultdict(list)
    for entry in entries:
        for digest in entry.manifest.digests:
            users[digest].append(entry.name)
    return users


def _usage(
    entry: Entry,
    users: Mapping[Digest, list[ModelName]],
    sizes: Mapping[Digest, int],
) -> ModelUsage:
    manifest = entry.manifest
    given = {layer.digest: layer.size for layer in (manifest.config, *manifest.layers)}
    others = {digest: [n for n in users[digest] if n != entry.name] for digest in given}
    return ModelUsage(
        name=entry.name,
        size=manifest.size,
        own=sum(sizes.get(digest, 0) for digest in given if not others[digest]),
        shared=sum(sizes.get(digest, 0) for digest in given if others[digest]),
        elsewhere=sum(size for digest, size in given.items() if not sizes.get(digest)),
        shared_with=[*dict.fromkeys(n for names in others.values() for n in names)],
    )
