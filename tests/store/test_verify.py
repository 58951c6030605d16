"""Verifying: every damage is found, named and set aside, and nothing that is sound is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ollapy.api.ollama import Progress
from ollapy.errors import Cancelled, CorruptManifest, ModelNotFound
from ollapy.names import ModelName
from ollapy.operation import Operation
from ollapy.store import Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, digest_of, encode
from ollapy.store.references import Reference
from ollapy.store.verify import State
from tests.support.raw_gguf import model

WEIGHTS = model()
W, CONFIG = digest_of(WEIGHTS), digest_of(b"{}")


def name(text: str) -> ModelName:
    return ModelName.parse(text)


def manifest(*weights: bytes) -> Manifest:
    return Manifest(
        config=Layer(CONFIG_TYPE, str(CONFIG), 2),
        layers=[
            Layer(f"{LAYER_TYPE}model", str(digest_of(data)), len(data))
            for data in weights
        ],
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With a model `x` and another, `other`, that shares its configuration."""
    store = Store(tmp_path / "models")
    other = model() + b"other"
    for data in (WEIGHTS, other, b"{}"):
        store.blobs.add([data])
    store.put(name("x"), manifest(WEIGHTS))
    store.put(name("other"), manifest(other))
    return store


def problems(store: Store, *names: str) -> list[str]:
    found = store.verify([name(text) for text in names], Operation())
    return [damage.problem for damage in found]


def test_a_sound_store(store: Store) -> None:
    assert problems(store) == []
    assert problems(store, "x", "tiny") == []


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_bytes(b"mine")


def become_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGE = [flip, truncate, empty, become_a_folder, become_a_link, become_a_pipe]


@pytest.mark.parametrize("damage", DAMAGE)
def test_f13_a_damaged_blob_is_set_aside_and_comes_again(
    store: Store, damage: Callable[[Path], None]
) -> None:
    damage(store.blobs.path(W))

    assert problems(store) == [
        "the model of 'x:latest' is damaged, pull the model again"
    ]
    assert not os.path.lexists(store.blobs.path(W))
    aside = [p for p in store.blobs.root.iterdir() if "-damaged-" in p.name]
    assert len(aside) == 1
    assert store.get(name("other"))

    store.blobs.add([WEIGHTS])  # as a pull does
    assert problems(store) == []
    assert store.get(name("x"))


@pytest.mark.parametrize("damage", [*DAMAGE, Path.unlink])
def test_f13_a_damaged_model_says_so_when_it_is_used(
    store: Store, damage: Callable[[Path], None]
) -> None:
    """But for a single bit, which costs reading all to find."""
    store.get(name("x"))
    damage(store.blobs.path(W))

    if damage is flip:
        store.get(name("x"))
        return
    with pytest.raises(
        CorruptManifest,
        match=r"the model of 'x:latest' is (missing|damaged), pull the model again",
    ):
        store.get(name("x"))


@pytest.mark.parametrize("damage", [*DAMAGE, Path.unlink])
def test_f13_a_damaged_blob_can_be_replaced_as_it_is(
    store: Store, damage: Callable[[Path], None]
) -> None:
    damage(store.blobs.path(W))
    store.blobs.add([WEIGHTS])

    assert problems(store) == []


def test_a_missing_blob_is_named_with_all_its_models(store: Store) -> None:
    store.blobs.remove(CONFIG)

    found = store.verify([], Operation())
    assert [(d.digest, d.state, set(d.models)) for d in found] == [
        (CONFIG, State.MISSING, {name("x"), name("other")})
    ]
    assert problems(store, "x") == [
        "the config of 'x:latest' is missing, pull the model again"
    ]


def test_a_damaged_manifest(store: Store) -> None:
    (store.root / "manifests" / name("x").path).write_bytes(b"{")

    for found in (problems(store), problems(store, "x")):
        assert len(found) == 1
        assert found[0].startswith(
            "the manifest of 'x:latest' is damaged, remove the model or pull it again"
        )


def test_a_manifest_that_is_wrong_about_a_size(store: Store) -> None:
    lie = encode(manifest(WEIGHTS)).replace(b'"size":%d' % len(WEIGHTS), b'"size":7')
    (store.root / "manifests" / name("x").path).write_bytes(lie)

    assert problems(store) == [
        "the manifest of 'x:latest' is wrong about the size of its model, remove the model or pull it again"
    ]
    assert store.blobs.exists(W)


def test_a_damaged_blob_that_no_model_needs(store: Store) -> None:
    orphan = store.blobs.add([b"orphan"])
    flip(store.blobs.path(orphan))

    assert problems(store, "x") == []
    assert problems(store) == [f"blob {orphan} is damaged, no model needs it"]
    assert problems(store) == []


def test_no_such_model(store: Store) -> None:
    with pytest.raises(ModelNotFound, match="model 'absent:latest' not found"):
        problems(store, "absent")


# ---- files of the user's


@pytest.fixture
def file(store: Store, tmp_path: Path) -> Path:
    """One that the weights of `x` refer to."""
    path = tmp_path / "weights.gguf"
    path.write_bytes(WEIGHTS)
    store.blobs.path(W).unlink()
    with path.open("rb") as opened:
        reference = Reference.to(path, os.fstat(opened.fileno()))
    store.blobs.references.write(W, reference)
    return path


MOVED = "the file that 'x:latest' refers to has moved or changed: import it again"


@pytest.mark.parametrize("damage", [*DAMAGE, Path.unlink])
def test_a_file_that_changed_stays_as_it_is(
    store: Store, file: Path, damage: Callable[[Path], None]
) -> None:
    assert problems(store) == []
    damage(file)
    before = file.lstat() if os.path.lexists(file) else None

    assert problems(store) == [MOVED]
    if before:
        assert file.lstat().st_ino == before.st_ino


def test_using_a_file_that_changed_says_so(store: Store, file: Path) -> None:
    assert store.get(name("x")).weights == file
    truncate(file)

    with pytest.raises(CorruptManifest) as caught:
        store.get(name("x"))
    assert str(caught.value) == MOVED


def test_a_file_whose_time_alone_changed_is_trusted_again(
    store: Store, file: Path
) -> None:
    os.utime(file, ns=(0, 1))
    assert not store.blobs.exists(W)

    assert problems(store) == []
    assert store.blobs.find(W) == file


def test_a_linked_blob_whose_file_was_written_to(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "weights.gguf"
    file.write_bytes(WEIGHTS)
    store.blobs.remove(W)
    store.blobs.adopt(file)
    if not store.blobs.path(W).samefile(file):
        pytest.skip("this disk shares blocks, and the blob keeps its own")
    flip(file)
    changed = file.read_bytes()
    os.utime(file, ns=(0, 1))

    assert problems(store) == [MOVED]
    assert file.read_bytes() == changed
    assert problems(store) == [MOVED]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_a_disk_that_fails(store: Store, file: Path) -> None:
    """The beginning of the memory cannot be read: an I/O error, as of a bad sector."""
    broken = Path("/proc/self/mem")
    store.blobs.references.write(W, Reference(str(broken), len(WEIGHTS), 0, 1))

    assert problems(store) == [MOVED]


# ---- as an operation


def test_progress_is_told_of_what_is_large(store: Store) -> None:
    large = bytes(20 << 20)
    store.blobs.add([large])
    digest = digest_of(large)
    records: list[Progress] = []

    store.verify([], Operation(records.append))

    status = f"verifying {digest.hex[:12]}"
    assert records == [
        Progress(status, str(digest), len(large), completed)
        for completed in (16 << 20, 20 << 20)
    ]


def test_it_can_be_cancelled(store: Store) -> None:
    operation = Operation()
    operation.cancel()

    with pytest.raises(Cancelled):
        store.verify([], operation)


def test_a_blob_that_is_being_downloaded_again_is_left_to_that(store: Store) -> None:
    from ollapy.store.locks import download_lock

    flip(store.blobs.path(W))
    with download_lock(store.blobs.path(W)):
        assert len(problems(store)) == 1
    assert store.blobs.path(W).exists()
