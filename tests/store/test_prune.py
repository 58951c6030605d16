"""Pruning: what nobody needs goes, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ollapy.errors import CorruptManifest
from ollapy.names import Digest, ModelName
from ollapy.store import Layer, Manifest, Store
from ollapy.store.files import File, Kind
from ollapy.store.locks import FileLock, download_lock
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, digest_of
from ollapy.store.prune import Limits, unneeded

A, B = Digest("a" * 64), Digest("b" * 64)
HOUR, WEEK = 3600, 7 * 86400
NAME = ModelName.parse("x")


# ---- what may go


def chosen(*files: tuple[str, float], needed: Digest = B) -> set[str]:
    given = [File(Path("blobs", name), 1, age) for name, age in files]
    found = unneeded(given, {needed}, Limits())
    return {file.path.name for waste in found for file in waste.files}


@pytest.mark.parametrize(
    ("name", "age", "goes"),
    [
        (A.filename, HOUR, True),
        (A.filename, HOUR - 1, False),
        (A.filename, -HOUR, False),
        (B.filename, WEEK, False),
        (f"{A.filename}-partial", WEEK, True),
        (f"{A.filename}-partial", WEEK - 1, False),
        (f"{A.filename}-partial-blocks", WEEK, True),
        (f"{A.filename}-partial-0", WEEK, True),
        (f"{B.filename}-partial.lock", WEEK, True),
        (f"{A.filename}-damaged-12345678", WEEK, True),
        (f"{A.filename}-damaged-12345678", WEEK - 1, False),
        (".new-abc", HOUR, True),
        (".new-abc", HOUR - 1, False),
        (".DS_Store", WEEK, False),
        ("sha256-short", WEEK, False),
        (f"{A.filename.upper()}", WEEK, False),
        (f"{A.filename}.bak", WEEK, False),
        (f"{A.filename}\n", WEEK, False),
        (f"x{A.filename}", WEEK, False),
        ("lost+found", WEEK, False),
    ],
)
def test_what_goes_by_name_and_age(name: str, age: float, goes: bool) -> None:
    assert chosen((name, age)) == ({name} if goes else set())


def test_a_download_is_judged_by_its_youngest_file() -> None:
    data, blocks = f"{A.filename}-partial", f"{A.filename}-partial-blocks"

    assert chosen((data, 2 * WEEK), (blocks, HOUR)) == set()
    assert chosen((data, 2 * WEEK), (blocks, WEEK)) == {data, blocks}


def test_what_is_left_of_a_blob_that_is_here_goes_at_once() -> None:
    rest = [f"{B.filename}-partial", f"{B.filename}-damaged-1", f"{A.filename}-partial"]

    assert chosen((B.filename, 0), *((name, 0) for name in rest)) == {*rest[:2]}


# ---- the store


def put(store: Store, name: str, *contents: bytes) -> set[Digest]:
    """A model of these layers, of which the store looks only at sizes."""
    digests = [store.blobs.add([data]) for data in (b"{}", *contents)]
    layers = [
        Layer(f"{LAYER_TYPE}license", str(digest), len(data))
        for digest, data in zip(digests[1:], contents, strict=True)
    ]
    config = Layer(CONFIG_TYPE, str(digests[0]), 2)
    store.put(ModelName.parse(name), Manifest(config=config, layers=layers))
    return set(digests)


def age(path: Path, seconds: float = 2 * WEEK) -> None:
    """Move the file's content into the past. When it was named stays: no program can change that."""
    then = time.time() - seconds
    os.utime(path, (then, then), follow_symlinks=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


EVERYTHING = Limits(blobs=0, downloads=0)


def names(store: Store) -> set[str]:
    return {path.name for path in store.blobs.root.iterdir()}


def test_only_what_no_model_needs_goes(store: Store) -> None:
    needed = put(store, "x", b"one", b"two")
    orphan = store.blobs.add([b"orphan"])

    found = store.prune(EVERYTHING, dry_run=True)
    assert [waste.thing.digest for waste in found] == [orphan]
    assert all(waste.size > 0 for waste in found)
    assert store.blobs.exists(orphan)

    gone = store.prune(EVERYTHING)
    assert [waste.thing for waste in gone] == [waste.thing for waste in found]
    assert names(store) == {digest.filename for digest in needed}
    assert store.prune(EVERYTHING) == []


def test_what_was_brought_in_vain_goes_at_once(store: Store) -> None:
    """Unless a model needs it, or somebody else is about to name it."""
    needed = put(store, "x", b"one")
    held, orphan = store.blobs.add([b"held"]), store.blobs.add([b"orphan"])

    with Store(store.root).lease(held):
        store.discard([*needed, held, orphan])

    assert names(store) == {digest.filename for digest in (*needed, held)}


def test_what_has_just_been_made_stays(store: Store) -> None:
    """It may be another program's, which knows nothing of leases."""
    orphan = store.blobs.add([b"orphan"])
    age(store.blobs.path(orphan))

    assert store.prune() == []
    assert store.blobs.exists(orphan)


def test_i6_what_a_lease_holds_stays(store: Store) -> None:
    orphan = store.blobs.add([b"orphan"])

    with store.lease(orphan):
        assert Store(store.root).prune(EVERYTHING) == []
    assert len(store.prune(EVERYTHING)) == 1


def test_a_dead_ones_lease_holds_nothing(store: Store) -> None:
    orphan = store.blobs.add([b"orphan"])
    (store.root / "leases").mkdir()
    (store.root / "leases" / "dead.lease").write_text(f"{orphan}\n")

    assert len(store.prune(EVERYTHING)) == 1
    assert list((store.root / "leases").iterdir()) == []


def test_a_download_under_way_stays(store: Store) -> None:
    blob = store.blobs.path(A)
    store.root.joinpath("blobs").mkdir(parents=True)
    for suffix in ("-partial", "-partial-blocks"):
        blob.with_name(blob.name + suffix).write_bytes(b"data")

    with download_lock(blob):
        assert store.prune(EVERYTHING) == []
        assert len(names(store)) == 3

    assert [waste.thing.kind for waste in store.prune(EVERYTHING)] == [Kind.DOWNLOAD]
    assert names(store) == set()


def test_f16_what_is_not_ours_stays(store: Store) -> None:
    put(store, "x", b"one")
    foreign = [".DS_Store", "notes.txt", ".x.swp", "lost+found", f"{A.filename}.bak"]
    for folder in (store.root, store.root / "blobs", store.root / "manifests"):
        for name in foreign:
            (folder / name).write_bytes(b"mine")
        (folder / f"folder-{A.filename}").mkdir()
    (store.root / "blobs" / A.filename).mkdir()

    assert store.prune(EVERYTHING) == []
    assert all((store.root / "blobs" / name).exists() for name in foreign)
    assert (store.root / "blobs" / A.filename).is_dir()


def test_a_planted_link_or_pipe_goes_and_what_it_leads_to_stays(
    store: Store, tmp_path: Path
) -> None:
    put(store, "x", b"one")
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    store.blobs.path(A).symlink_to(secret)
    os.mkfifo(store.blobs.path(B))

    assert len(store.prune(EVERYTHING)) == 2
    assert secret.read_bytes() == b"mine"


def test_references_go_and_the_users_files_stay(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"hello")
    age(file)
    store.blobs.adopt(file)

    assert store.prune() == []  # the file is old, its blob is new
    assert store.prune(EVERYTHING)[0].size <= 4096
    assert file.read_bytes() == b"hello"
    assert not store.blobs.exists(digest_of(b"hello"))
    assert list(store.blobs.references.root.iterdir()) == []


def test_a_damaged_manifest_keeps_everything(store: Store) -> None:
    put(store, "x", b"one")
    put(store, "bad", b"two")
    store.blobs.add([b"orphan"])
    (store.root / "manifests" / ModelName.parse("bad").path).write_bytes(b"{")
    before = names(store)

    with pytest.raises(CorruptManifest, match="the manifest of 'bad:latest'"):
        store.prune(EVERYTHING)

    assert names(store) == before


def test_folders_without_manifests_go_once_they_are_old(store: Store) -> None:
    put(store, "a/x", b"one")
    root = store.root / "manifests" / "registry.ollama.ai"
    for folder in ("old/model", "new/model"):
        (root / folder).mkdir(parents=True)
    age(root / "old" / "model")
    store.prune()
    assert sorted(path.name for path in root.iterdir()) == ["a", "new", "old"]

    age(root / "old")
    store.prune()
    assert sorted(path.name for path in root.iterdir()) == ["a", "new"]


def test_nothing_is_made_where_there_is_no_store(store: Store) -> None:
    assert store.prune(EVERYTHING) == []
    assert not store.root.exists()


def test_f23_what_a_crash_loop_leaves(store: Store) -> None:
    put(store, "x", b"one")
    for number in range(500):
        blob = store.blobs.path(digest_of(b"%d" % number))
        blob.with_name(f"{blob.name}-partial").write_bytes(b"data")
        blob.with_name(f"{blob.name}-partial.lock").touch()
        (store.blobs.root / f".new-{number}").touch()

    assert len(store.prune(EVERYTHING)) == 500
    left = {name for name in names(store) if name.startswith(".new-")}
    assert len(left) == 500  # of the last hour, so somebody may be writing
    assert names(store) - left == {
        digest_of(b"{}").filename,
        digest_of(b"one").filename,
    }


# ---- two programs


_MAKER = """
import sys
from pathlib import Path
from ollapy.names import ModelName
from ollapy.store import Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, digest_of

store = Store(Path(sys.argv[1]))
for number in range(60):
    content = b"%d" % number
    digests = [digest_of(b"{}"), digest_of(content)]
    with store.lease(*digests):
        for data in (b"{}", content):
            store.blobs.add([data])
        layers = [Layer(LAYER_TYPE + "license", str(digests[1]), len(content))]
        manifest = Manifest(config=Layer(CONFIG_TYPE, str(digests[0]), 2), layers=layers)
        store.put(ModelName.parse(f"model{number % 7}"), manifest)
"""
_PRUNER = """
import sys
from pathlib import Path
from ollapy.store import Store
from ollapy.store.prune import Limits

store = Store(Path(sys.argv[1]))
while not (store.root / "done").exists():
    store.prune(Limits(blobs=0, downloads=0))
"""


def test_i6_one_program_prunes_while_another_makes_models(store: Store) -> None:
    store.root.mkdir()
    pruners = [_python(_PRUNER, store.root) for _ in range(2)]
    try:
        assert _python(_MAKER, store.root).wait(60) == 0
    finally:
        (store.root / "done").touch()
        assert [pruner.wait(30) for pruner in pruners] == [0, 0]

    for number in range(53, 60):
        assert store.blobs.read(digest_of(b"%d" % number)) == b"%d" % number


def _python(program: str, root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, str(root)])


def test_a_lock_file_of_a_dead_program_stops_nobody(store: Store) -> None:
    put(store, "x", b"one")
    store.root.joinpath("lock").write_bytes(b"12345")

    assert store.prune(EVERYTHING) == []
    with FileLock(store.root / "lock"):
        pass
