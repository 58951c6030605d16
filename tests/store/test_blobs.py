"""Blobs: whole, verified, or not there."""

from __future__ import annotations

import hashlib
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollapy.errors import CorruptManifest, DigestMismatch, StoreError
from ollapy.names import Digest
from ollapy.store import Blobs

HELLO = Digest(hashlib.sha256(b"hello").hexdigest())


def test_content_is_found_under_its_digest(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "new" / "blobs")

    assert blobs.add([b"hel", b"lo"]) == HELLO
    assert blobs.path(HELLO) == tmp_path / "new" / "blobs" / f"sha256-{HELLO.hex}"
    assert blobs.path(HELLO).stat().st_mode & 0o777 == 0o644
    assert (blobs.exists(HELLO), blobs.size(HELLO), blobs.read(HELLO)) == (
        True,
        5,
        b"hello",
    )
    assert list((tmp_path / "new" / "blobs").iterdir()) == [blobs.path(HELLO)]


def test_looking_creates_nothing(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")

    assert not blobs.exists(HELLO)
    blobs.remove(HELLO)
    assert not (tmp_path / "blobs").exists()


def test_b067_wrong_content_leaves_nothing(tmp_path: Path) -> None:
    other = Digest(hashlib.sha256(b"other").hexdigest())

    with pytest.raises(DigestMismatch) as caught:
        Blobs(tmp_path).add([b"other"], HELLO)

    assert str(caught.value) == f'digest mismatch, expected "{HELLO}", got "{other}"'
    assert list(tmp_path.iterdir()) == []


def test_b070_empty_content(tmp_path: Path) -> None:
    nothing = Digest(hashlib.sha256().hexdigest())

    assert Blobs(tmp_path).add([], nothing) == nothing
    with pytest.raises(DigestMismatch):
        Blobs(tmp_path).add([], HELLO)


def test_a_source_that_fails_leaves_nothing_and_keeps_its_error(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"hel"
        raise ConnectionResetError("the client left")

    with pytest.raises(ConnectionResetError, match="the client left"):
        Blobs(tmp_path).add(chunks(), HELLO)

    assert list(tmp_path.iterdir()) == []


def test_b068_added_twice_and_removed(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    blobs.add([b"hello"], HELLO)
    blobs.add([b"hello"], HELLO)

    blobs.remove(HELLO)
    assert list(tmp_path.iterdir()) == []


def test_b071_a_full_disk(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk's end; both come as an OSError from the write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
        with pytest.raises(
            StoreError, match="could not write to the model store: File too large"
        ):
            Blobs(tmp_path).add(bytes(1 << 20) for _ in range(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

    assert list(tmp_path.iterdir()) == []


def test_an_error_names_no_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreError) as caught:
        Blobs(tmp_path / "file" / "blobs").add([b"hello"])

    assert str(caught.value) == "could not write to the model store: File exists"


def test_b086_a_link_is_not_a_blob(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"hello")
    blobs = Blobs(tmp_path)
    blobs.path(HELLO).symlink_to(secret)

    assert not blobs.exists(HELLO)
    with pytest.raises(CorruptManifest, match="is not in the store"):
        blobs.read(HELLO)

    blobs.add([b"hello"])
    assert blobs.read(HELLO) == b"hello"
    assert not blobs.path(HELLO).is_symlink()


def test_a_large_blob_is_not_read_whole(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)

    large = blobs.add([bytes(4 << 20), b"!"])
    with pytest.raises(CorruptManifest, match="larger than 4194304 bytes"):
        blobs.read(large)


def test_i1_a_crash_while_writing_leaves_no_blob(tmp_path: Path) -> None:
    """The process is killed at each of several points of an upload; the digest's name never appears."""
    program = """
import os, signal, sys
from pathlib import Path
from ollapy.names import Digest
from ollapy.store import Blobs

def chunks():
    for number in range(8):
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield bytes(100_000)

Blobs(Path(sys.argv[1])).add(chunks())
"""
    for point in range(8):
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path), str(point)], check=False
        )

    assert not list(tmp_path.glob("sha256-*"))
