"""Adopting a file: its bytes become a blob and are not copied, and the file stays its owner's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollapy.errors import Cancelled, DigestMismatch, InvalidRequest, StoreError
from ollapy.names import Digest
from ollapy.store import Blobs
from ollapy.store.manifests import digest_of
from ollapy.store.regular import RegularFile

HELLO = digest_of(b"hello")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"hello")
    return path


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "store" / "blobs")


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A file on another filesystem than the temporary folder's, which no link can reach."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path("/tmp").stat().st_dev:
        pytest.skip("needs a second filesystem")
    path = memory / f"ollapy-test-{os.getpid()}.gguf"
    path.write_bytes(b"hello")
    yield path
    path.unlink(missing_ok=True)


def found(blobs: Blobs, digest: Digest = HELLO) -> bytes | None:
    path = blobs.find(digest)
    assert blobs.exists(digest) is (path is not None)
    assert blobs.size(digest) == (None if path is None else path.stat().st_size)
    return None if path is None else path.read_bytes()


def is_link(blobs: Blobs, file: Path) -> bool:
    return blobs.path(HELLO).exists() and blobs.path(HELLO).samefile(file)


def test_a_file_on_the_same_disk_is_not_copied(blobs: Blobs, file: Path) -> None:
    file.chmod(0o600)

    assert blobs.adopt(file) == HELLO

    assert found(blobs) == b"hello"
    assert blobs.read(HELLO) == b"hello"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in blobs.root.iterdir()] == [HELLO.filename]


def test_a_blob_outlives_the_files_name(blobs: Blobs, file: Path) -> None:
    blobs.adopt(file)
    file.unlink()

    assert found(blobs) == b"hello"


def test_removing_the_blob_leaves_the_file(blobs: Blobs, file: Path) -> None:
    blobs.adopt(file)
    blobs.remove(HELLO)

    assert file.read_bytes() == b"hello"
    assert found(blobs) is None
    assert [*blobs.root.iterdir(), *blobs.references.root.iterdir()] == []


def test_a_linked_file_that_is_written_to_is_no_blob_any_more(
    blobs: Blobs, file: Path
) -> None:
    blobs.adopt(file)
    if not is_link(blobs, file):
        pytest.skip("this disk shares blocks, and the blob keeps its own")
    file.write_bytes(b"jello")
    os.utime(file, ns=(0, 1))

    assert found(blobs) is None

    # a pull or another import makes it whole again
    assert blobs.add([b"hello"]) == HELLO
    assert found(blobs) == b"hello"
    assert file.read_bytes() == b"jello"


def test_a_file_on_another_disk_is_referred_to(blobs: Blobs, elsewhere: Path) -> None:
    assert blobs.adopt(elsewhere) == HELLO

    assert blobs.find(HELLO) == elsewhere
    assert found(blobs) == b"hello"
    assert blobs.read(HELLO) == b"hello"
    assert list(blobs.root.iterdir()) == []

    blobs.remove(HELLO)
    assert found(blobs) is None
    assert elsewhere.read_bytes() == b"hello"


@pytest.mark.parametrize("change", ["time", "size", "gone", "folder", "link", "pipe"])
def test_a_reference_whose_file_has_changed_is_no_blob(
    blobs: Blobs, elsewhere: Path, change: str
) -> None:
    blobs.adopt(elsewhere)
    if change == "time":
        os.utime(elsewhere, ns=(0, 1))
    elif change == "size":
        elsewhere.write_bytes(b"hello!")
    else:
        elsewhere.unlink()
    if change == "folder":
        elsewhere.mkdir()
    if change == "link":
        elsewhere.symlink_to("/etc/passwd")
    if change == "pipe":
        os.mkfifo(elsewhere)

    assert found(blobs) is None

    if elsewhere.is_dir():
        elsewhere.rmdir()


def test_an_import_again_refers_to_the_files_new_place(
    blobs: Blobs, elsewhere: Path
) -> None:
    blobs.adopt(elsewhere)
    moved = elsewhere.with_suffix(".moved")
    elsewhere.rename(moved)
    try:
        assert found(blobs) is None
        blobs.adopt(moved)
        assert blobs.find(HELLO) == moved
    finally:
        moved.unlink()


def test_what_is_here_is_not_read_again(blobs: Blobs, file: Path) -> None:
    blobs.add([b"hello"])
    own = blobs.path(HELLO).stat()

    assert blobs.adopt(file) == HELLO
    assert blobs.adopt(file.with_name("absent"), expected=HELLO) == HELLO
    assert blobs.path(HELLO).stat() == own
    assert not blobs.references.root.exists()


def test_a_link_to_the_file_is_followed(blobs: Blobs, file: Path) -> None:
    """As in the cache of huggingface-hub, whose names are links to its blobs."""
    link = file.with_name("link.gguf")
    link.symlink_to(file.name)

    assert blobs.adopt(link) == HELLO
    assert found(blobs) == b"hello"
    assert not blobs.path(HELLO).is_symlink()


def test_adopting_a_planted_link_or_folder_replaces_it(
    blobs: Blobs, file: Path
) -> None:
    blobs.root.mkdir(parents=True)
    blobs.path(HELLO).symlink_to("/etc/passwd")
    blobs.adopt(file)
    assert found(blobs) == b"hello"

    blobs.remove(HELLO)
    blobs.path(HELLO).mkdir()
    blobs.add([b"hello"])
    assert found(blobs) == b"hello"


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link to a device"])
def test_what_is_no_file_is_refused(blobs: Blobs, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "strange"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")

    with pytest.raises(InvalidRequest, match=r"'(strange|zero)' is not a regular file"):
        blobs.adopt(path)


def test_a_file_that_is_not_there(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        blobs.adopt(tmp_path / "absent.gguf")

    assert (
        str(caught.value) == "could not read 'absent.gguf': No such file or directory"
    )


def test_other_content_than_expected_leaves_nothing(blobs: Blobs, file: Path) -> None:
    with pytest.raises(DigestMismatch):
        blobs.adopt(file, expected=digest_of(b"other"))

    assert list(blobs.root.iterdir()) == []
    assert not blobs.references.root.exists()


def test_progress_and_the_end_of_it(blobs: Blobs, file: Path) -> None:
    with file.open("wb") as output:
        output.truncate(3 << 20)
    heard: list[int] = []
    blobs.adopt(file, told=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 3 << 20

    def stop(_completed: int) -> None:
        raise Cancelled("canceled")

    other = file.with_name("other.gguf")
    other.write_bytes(b"other")
    with pytest.raises(Cancelled):
        blobs.adopt(other, told=stop)
    assert not blobs.exists(digest_of(b"other"))


def test_a_file_that_is_written_to_meanwhile_is_refused(
    blobs: Blobs, file: Path
) -> None:
    if _has_clones(file):
        pytest.skip("this disk shares blocks, and the blob is what was there at first")

    def write(_completed: int) -> None:
        file.write_bytes(b"hello, and more")

    with pytest.raises(StoreError, match=r"'model\.gguf' changed while it was read"):
        blobs.adopt(file, told=write)
    assert list(blobs.root.iterdir()) == []


def test_a_file_in_pieces(file: Path) -> None:
    data = bytes(range(256)) * 10_000
    file.write_bytes(data)
    heard: list[int] = []

    with RegularFile(file) as opened:
        assert b"".join(opened.chunks(heard.append)) == data
    assert heard[-1] == len(data)
    assert len(heard) == 3


@pytest.mark.parametrize("change", ["time", "longer", "shorter", "replaced"])
def test_a_file_in_pieces_is_not_whole_once_it_has_changed(
    file: Path, change: str
) -> None:
    file.write_bytes(bytes(3 << 20))
    with RegularFile(file) as opened:
        pieces = opened.chunks(lambda _: None)
        got = len(next(pieces))
        if change == "time":
            os.utime(file, ns=(0, 1))
        elif change == "replaced":
            file.rename(file.with_suffix(".old"))
            file.write_bytes(bytes(3 << 20))
        else:
            os.truncate(file, {"longer": 4 << 20, "shorter": 2 << 20}[change])

        rest: list[bytes] = []
        with pytest.raises(StoreError, match=r"'model\.gguf' changed while it was"):
            rest.extend(pieces)
        assert got + sum(map(len, rest)) < 3 << 20


def _has_clones(file: Path) -> bool:
    blobs = Blobs(file.parent / "probe" / "blobs")
    probe = file.with_name("probe.gguf")
    probe.write_bytes(b"probe")
    digest = blobs.adopt(probe)
    return not blobs.path(digest).samefile(probe)


def test_a_path_that_is_not_utf8(blobs: Blobs, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gguf"))
    path.write_bytes(b"hello")
    if _has_clones(path):
        pytest.skip("this disk shares blocks, and no path is written down")

    with pytest.raises(InvalidRequest, match="is not UTF-8, rename it"):
        blobs.adopt(path)


def test_a_reference_that_cannot_be_read_refers_to_nothing(blobs: Blobs) -> None:
    blobs.references.root.mkdir(parents=True)
    for junk in (b"", b"{", b'{"path":"/etc/passwd"}', b"\xff"):
        blobs.references.path(HELLO).write_bytes(junk)
        assert found(blobs) is None


def test_a_file_that_was_adopted_is_known(blobs: Blobs, file: Path) -> None:
    """So that it is not read again, however large it is. Where blocks are shared it is another file."""
    assert blobs.known(file) is None
    blobs.adopt(file)

    link = file.with_name("link.gguf")
    link.symlink_to(file.name)
    assert blobs.known(file) == (HELLO if is_link(blobs, file) else None)
    assert blobs.known(link) == blobs.known(file)
    assert blobs.known(blobs.path(HELLO)) == HELLO

    os.utime(file, ns=(0, 1))
    assert blobs.known(file) is None


@pytest.mark.parametrize("change", ["time", "size", "removed"])
def test_what_has_changed_is_not_known(
    blobs: Blobs, elsewhere: Path, change: str
) -> None:
    blobs.adopt(elsewhere)
    assert blobs.known(elsewhere) == HELLO
    if change == "time":
        os.utime(elsewhere, ns=(0, 1))
    elif change == "size":
        elsewhere.write_bytes(b"hello!")
    else:
        blobs.remove(HELLO)

    assert blobs.known(elsewhere) is None


def test_a_name_in_the_store_is_no_proof(blobs: Blobs, tmp_path: Path) -> None:
    """A file must be where the store keeps blobs, and whole."""
    outside = tmp_path / HELLO.filename
    outside.write_bytes(b"other")
    blobs.root.mkdir(parents=True)
    partial = blobs.root / f"{HELLO.filename}-partial"
    partial.write_bytes(b"he")
    upper = blobs.root / HELLO.filename.upper()
    upper.write_bytes(b"other")

    for path in (outside, partial, upper):
        assert blobs.known(path) is None
