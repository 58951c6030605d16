"""What takes how much of the disk."""

from __future__ import annotations

from pathlib import Path

from ollapy.names import Digest, ModelName
from ollapy.store import Layer, Manifest
from ollapy.store.files import File, Kind
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, Entry
from ollapy.store.usage import ModelUsage, Usage, usage

A, B, C, D = (Digest(letter * 64) for letter in "abcd")
X, Y, Z = (ModelName.parse(letter) for letter in "xyz")


def entry(name: ModelName, config: Digest, *layers: Digest) -> Entry:
    """Each blob has a thousand bytes, as the manifest says."""
    manifest = Manifest(
        config=Layer(CONFIG_TYPE, str(config), 1000),
        layers=[Layer(f"{LAYER_TYPE}model", str(digest), 1000) for digest in layers],
    )
    return Entry(name, b"", 0, manifest)


def file(name: str, size: int = 4096, plain: Kind = Kind.BLOB) -> File:
    return File(Path(name), size, 0, plain)


def test_what_is_shared_and_what_is_not() -> None:
    files = [file(digest.filename) for digest in (A, B, C)]
    entries = [entry(X, A, B), entry(Y, A, C), entry(Z, A)]

    assert usage(entries, files).models == [
        ModelUsage(X, 2000, own=4096, shared=4096, elsewhere=0, shared_with=[Y, Z]),
        ModelUsage(Y, 2000, own=4096, shared=4096, elsewhere=0, shared_with=[X, Z]),
        ModelUsage(Z, 1000, own=0, shared=4096, elsewhere=0, shared_with=[X, Y]),
    ]


def test_a_layer_named_twice_counts_once_on_disk() -> None:
    found = usage([entry(X, A, B, B)], [file(A.filename), file(B.filename)])

    assert found.models == [ModelUsage(X, 3000, 8192, 0, 0, [])]


def test_files_of_the_users_take_nothing_here() -> None:
    """One that is linked frees nothing; one that is referred to has no file here but the reference."""
    files = [
        file(A.filename, 0),
        file(B.filename, 4096, Kind.REFERENCE),
        file(C.filename),
    ]

    assert usage([entry(X, A, B, C)], files) == Usage(
        models=[ModelUsage(X, 3000, 4096, 0, 2000, [])],
        total=8192,
        unneeded=0,
        downloads=0,
        leftovers=0,
    )


def test_what_belongs_to_no_model() -> None:
    files = [
        file(A.filename, 1),
        file(D.filename, 2),
        file(f"{D.filename}-partial", 4),
        file(f"{D.filename}-partial-blocks", 8),
        file(f"{D.filename}-damaged-1", 16),
        file(".new-1", 32),
        file("notes.txt", 64),
    ]

    assert usage([entry(X, A)], files) == Usage(
        models=[ModelUsage(X, 1000, 1, 0, 0, [])],
        total=127,
        unneeded=2,
        downloads=12,
        leftovers=48,
    )
