"""What models may take is what the machine and each control group around the daemon have left."""

from __future__ import annotations

from pathlib import Path

import pytest

from ollapy.daemon.runners.memory import Share, in_groups
from scripts.make_gguf import write_shape
from tests.support.cgroups import limited
from tests.support.daemon import running_daemon
from tests.support.models import add_model

MB = 1_000_000


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """What the kernel says of a process that is in a group of each version."""
    file = tmp_path / "own"
    file.write_text("9:name=systemd:/\n4:memory:/c/d\n0::/a/b\n")
    return file


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / f"memory.{name}").write_text(f"{value}\n")


def newer(folder: Path, limit: object, *, high: object = "max", cached: int) -> None:
    stat = f"anon 5\ninactive_file {cached}\nactive_file 1"
    group(folder, max=limit, high=high, current=50, stat=stat)


def older(folder: Path, limit: int, cached: int) -> None:
    stat = f"inactive_file 3\nactive_file 0\ntotal_inactive_file {cached}\ntotal_active_file 1"
    group(folder, limit_in_bytes=limit, usage_in_bytes=50, stat=stat)


def test_each_group_on_the_way_up_counts_without_what_files_fill(own: Path) -> None:
    root = own.with_name("root")
    newer(root / "a", 100, cached=10)
    newer(root / "a/b", "max", high=200, cached=5)
    newer(root / "elsewhere", 60, cached=0)

    found = in_groups(own, root)

    assert list(found) == [Share(100, 61), Share(200, 156)]


def test_so_does_each_of_the_older_version(own: Path) -> None:
    root = own.with_name("root")
    older(root / "memory/c/d", 400, cached=10)
    older(root / "memory/c", 100, cached=20)

    assert list(in_groups(own, root)) == [Share(400, 361), Share(100, 71)]


def test_a_container_that_sees_its_group_as_the_root_is_in_it(own: Path) -> None:
    root = own.with_name("root")
    newer(root, 100, cached=10)
    older(root / "memory", 200, cached=10)

    assert list(in_groups(own, root)) == [Share(100, 61), Share(200, 161)]


def test_without_control_groups_there_are_none(tmp_path: Path) -> None:
    assert not list(in_groups(tmp_path / "none", tmp_path))


def test_a_small_container_keeps_little_back_on_a_large_machine() -> None:
    assert Share(1 << 30, 1 << 30).spare == (1 << 30) * 31 // 32
    assert Share(1 << 40, 1 << 40).spare == (1 << 40) - (1 << 30)


def test_what_its_group_does_not_allow_is_refused_not_killed(tmp_path: Path) -> None:
    large = tmp_path / "large.gguf"
    write_shape(large, layers=4, vocab=4000, file_type="F16")
    with limited(320 * MB) as here, running_daemon(tmp_path) as daemon:
        add_model(daemon.models, "large", large)
        (here / "cgroup.procs").write_text(str(daemon.process.pid))

        response = daemon.post("/api/generate", model="large", prompt="Hi")

        assert response.status_code == 500
        assert "close other programs" in response.json()["error"]
        assert daemon.generate("Hi")["done"]
        assert daemon.http.get("/api/snapshot").json()["memory_total"] <= 320 * MB
