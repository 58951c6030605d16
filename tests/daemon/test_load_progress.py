"""How far a load is: what is in memory of the files, and then what llama.cpp says."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from ollapy.daemon.runners.progress import Progress, mapped
from ollapy.runner.protocol import Loading
from tests.support.daemon import running_daemon
from tests.support.held_daemon import SERVING

SIZE = 64 << 20


def test_pages_of_the_files_count_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    with path.open("wb") as file:
        file.truncate(SIZE)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:  # fmt: skip
        before = Progress.of(mapped(os.getpid()), [str(path)] * 8, Loading(0.0))
        for at in range(0, SIZE, mmap.PAGESIZE):
            pages[at]
        after = Progress.of(mapped(os.getpid()), [str(path)] * 8, Loading(0.0))

    assert before.size == 8 * SIZE
    assert before.is_reading
    assert after.completed - before.completed >= SIZE * 0.9
    assert before != after  # so a load that reads does not stand still


def test_what_is_loaded_counts_from_then_on() -> None:
    loading = Progress(1000, 1000, 0.25)

    assert not loading.is_reading
    assert loading.completed == 250


def test_a_child_that_has_gone_and_a_file_that_was_removed(tmp_path: Path) -> None:
    assert Progress.of(
        mapped(2**22 + 1), [str(tmp_path / "gone")], Loading(0.0)
    ) == Progress(0)


def test_a_load_that_stands_still_is_given_up(tmp_path: Path) -> None:
    serving = (*SERVING, str(tmp_path / "never"))
    with running_daemon(tmp_path, serving=serving, LOAD_TIMEOUT="500ms") as daemon:
        answer = daemon.post("/api/generate", model="tiny", prompt="Hi")

    assert answer.status_code == 500
    assert "made no progress loading for 0.5 s" in answer.json()["error"]
