"""The files of what was computed: whole, private and of this model, or of no use and gone."""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ollapy.kvcache.branch import as_tokens
from ollapy.kvcache.folder import Folder
from ollapy.kvcache.usage import clear, kept_files
from tests.support.branches import branch
from tests.support.disk import small_disk
from tests.support.waiting import eventually

MODEL = {"model": ["sha256:1"], "type": "f16"}


def folder(root: Path, max_bytes: int = 1 << 20, identity: object = MODEL) -> Folder:
    return Folder(root / "kv", max_bytes, identity)


def files(root: Path) -> list[Path]:
    return sorted((root / "kv").glob("*/*"))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The one file there is."""
    assert folder(tmp_path).write(branch(), math.inf)
    (path,) = files(tmp_path)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    ours, other = folder(tmp_path), folder(tmp_path)
    before = branch(adapters=(("sha256:2", 0.5),))
    assert not ours.outlines()
    assert ours.write(before, math.inf)

    for reader in (ours, other):  # of another process
        (name,) = reader.outlines()
        after = reader.read(name)
        assert after is not None
        assert after.outline.tokens.tolist() == before.outline.tokens.tolist()
        assert after.outline.adapters == before.outline.adapters
        assert after.outline.asked_by == "me"
        assert [(s.position, bytes(s.data)) for s in after.states] == [
            (s.position, bytes(s.data)) for s in before.states
        ]


def test_only_the_user_can_read_it(written: Path) -> None:
    assert written.stat().st_mode & 0o777 == 0o600
    assert written.parent.stat().st_mode & 0o777 == 0o700
    assert written.parent.parent.stat().st_mode & 0o777 == 0o700


def is_refused(root: Path, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether nothing is read, the file has gone, and one line says why."""
    caplog.clear()
    found = folder(root)
    reads = [found.read(name) for name in found.outlines()]
    is_told = sum("ignored and removed" in r.getMessage() for r in caplog.records) == 1
    return reads in ([], [None]) and not files(root) and is_told


def test_a_bit_anywhere_is_not_as_it_was(
    written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    whole = written.read_bytes()
    for index in range(len(whole)):
        damaged = bytearray(whole)
        damaged[index] ^= 1 << index % 8
        written.parent.mkdir(exist_ok=True)
        written.write_bytes(damaged)
        written.chmod(0o600)
        assert is_refused(tmp_path, caplog), index


def test_it_is_cut_short_or_goes_on(
    written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = written.read_bytes()
    for data in (*(whole[:end] for end in range(len(whole))), whole + b"\0"):
        written.write_bytes(data)
        written.chmod(0o600)
        assert is_refused(tmp_path, caplog), len(data)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_others_could_read_or_write_it(
    written: Path, tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    written.chmod(mode)
    assert is_refused(tmp_path, caplog)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)
def test_it_is_another_users(
    written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.chown(written, 12345, 12345)
    assert is_refused(tmp_path, caplog)


def test_it_is_a_link_a_pipe_or_a_folder(
    written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = tmp_path / "elsewhere"
    written.rename(elsewhere)
    written.symlink_to(elsewhere)
    assert is_refused(tmp_path, caplog)
    assert elsewhere.exists()

    os.mkfifo(written, 0o600)
    assert is_refused(tmp_path, caplog)

    written.mkdir(0o700)
    assert not folder(tmp_path).outlines()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_reach_is_not_used(
    written: Path, tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    for reached in (written.parent, written.parent.parent):
        reached.chmod(mode)
        found = folder(tmp_path)
        assert not found.outlines()
        assert not found.write(branch(first=100), math.inf)
        assert "chmod 700" in caplog.text
        assert files(tmp_path) == [written]
        reached.chmod(0o700)
    assert folder(tmp_path).outlines()


def test_what_another_configuration_computed_is_not_seen(
    written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = folder(tmp_path, identity=MODEL | {"type": "q8_0"})
    assert not other.outlines()

    assert other.write(branch(first=50), math.inf)
    (theirs,) = set(files(tmp_path)) - {written}
    written.replace(theirs)  # put in the other's place
    assert not folder(tmp_path, identity=MODEL | {"type": "q8_0"}).outlines()
    assert "of another model" in caplog.text


def test_the_longest_unused_go_where_there_is_no_room(tmp_path: Path) -> None:
    size = kept_size(tmp_path)
    ours = folder(tmp_path, max_bytes=3 * size + 8192)
    for index in range(3):
        assert ours.write(branch(first=100 * index, size=100_000), math.inf)
    by_age = kept_files(tmp_path / "kv")
    for age, file in enumerate(by_age):
        os.utime(file.path, (age, age))
    assert ours.read(by_age[0].path.stem) is not None  # used now

    assert ours.write(branch(first=900, size=100_000), math.inf)

    left = {path.stem for path in files(tmp_path)}
    assert by_age[0].path.stem in left
    assert by_age[1].path.stem not in left
    assert sum(f.size for f in kept_files(tmp_path / "kv")) <= 3 * size + 8192
    assert not ours.write(branch(size=900_000), math.inf)
    assert {path.stem for path in files(tmp_path)} == left


def kept_size(root: Path) -> int:
    """Bytes of a file with a large state, which is gone afterwards."""
    assert folder(root).write(branch(size=100_000), math.inf)
    (file,) = clear(root / "kv")
    return file.size


def test_what_goes_on_from_another_takes_its_place(tmp_path: Path) -> None:
    ours = folder(tmp_path)
    assert ours.write(branch(8), math.inf)
    assert ours.write(branch(8, adapters=(("sha256:2", 1.0),)), math.inf)
    assert ours.write(branch(12), math.inf)

    assert sorted(len(o.tokens) for o in ours.outlines().values()) == [8, 12]


def test_too_late_leaves_nothing(tmp_path: Path) -> None:
    assert not folder(tmp_path).write(branch(), time.monotonic() - 1)
    assert not files(tmp_path)


def test_what_was_being_written_goes_with_the_next(
    written: Path, tmp_path: Path
) -> None:
    """Once its writer has ended, or hangs; this process has neither."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    unmourned = subprocess.Popen([sys.executable, "-c", ""])
    orphan = psutil.Process(unmourned.pid)
    eventually(lambda: orphan.status() == psutil.STATUS_ZOMBIE, "it does not end")
    names = {"dead": ended.pid, "zombie": orphan.pid, "stuck": os.getpid(), "writing": os.getpid()}  # fmt: skip
    paths = {key: written.with_name(f".new-{pid}-{key}") for key, pid in names.items()}
    for path in paths.values():
        path.write_bytes(b"half")
    os.utime(paths["stuck"], (0, 0))
    assert len(folder(tmp_path).outlines()) == 1

    assert folder(tmp_path).write(branch(first=50), math.inf)

    assert [key for key, path in paths.items() if path.exists()] == ["writing"]
    unmourned.wait()


def test_strangers_files_are_left_alone(written: Path, tmp_path: Path) -> None:
    """Somebody may name a folder that holds more than this."""
    theirs = [
        tmp_path / "kv" / ".ssh" / "id_rsa",
        tmp_path / "kv" / "notes" / "a.kv",
        written.with_name("notes.txt"),
    ]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 10_000)
        os.utime(path, (0, 0))

    assert folder(tmp_path, max_bytes=6000).write(branch(first=50), math.inf)
    assert len(clear(tmp_path / "kv")) == 2
    assert all(path.exists() for path in theirs)


def test_a_disk_that_is_almost_full(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "disk", size=1 << 20) as disk:
        assert not folder(disk).write(branch(), math.inf)
        assert not files(disk)
    assert "8 tokens not kept: the disk has 1 MB left" in caplog.text


def test_only_one_models_go(written: Path, tmp_path: Path) -> None:
    other = Folder(tmp_path / "kv", 1 << 20, MODEL, f"sha256:{'ab' * 32}")
    assert other.write(branch(), math.inf)

    assert len(clear(tmp_path / "kv", f"sha256:{'ab' * 32}")) == 1
    assert files(tmp_path) == [written]
    assert not clear(tmp_path / "kv", f"sha256:{'cd' * 32}")


def test_a_prompt_uses_what_it_can() -> None:
    outline = branch(8).outline  # tokens 1 to 8, states at 4 and 8
    longer, parting = as_tokens(range(1, 20)), as_tokens([1, 2, 3, 4, 5, 99, 99])

    assert outline.usable(longer, (), anywhere=True) == 8
    assert outline.usable(longer, (), anywhere=False) == 8
    assert outline.usable(parting, (), anywhere=True) == 5
    assert outline.usable(parting, (), anywhere=False) == 4
    assert outline.usable(as_tokens(range(1, 9)), (), anywhere=True) == 7
    assert outline.usable(longer, (("sha256:2", 1.0),), anywhere=True) == 0
