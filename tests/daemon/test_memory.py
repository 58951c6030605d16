"""What models may take is what the machine and each control group around the daemon have left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ollapy.api.options import Options
from ollapy.daemon.observation.metrics import Metrics
from ollapy.daemon.runners.footprint import Scale
from ollapy.daemon.runners.layout import Layout
from ollapy.daemon.runners.memory import Share, in_groups
from ollapy.daemon.runners.placement import footprint
from ollapy.daemon.runners.pool import RunnerPool
from ollapy.gguf import read_header
from ollapy.names import ModelName
from ollapy.settings import Settings
from ollapy.store import Store
from scripts.make_gguf import write_embedder, write_random
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
    write_random(large, layers=16, width=512)
    with limited(210 * MB) as here, running_daemon(tmp_path) as daemon:
        add_model(daemon.models, "large", large)
        (here / "cgroup.procs").write_text(str(daemon.process.pid))

        response = daemon.post("/api/generate", model="large", prompt="Hi")

        assert response.status_code == 500
        assert "close other programs" in response.json()["error"]
        assert daemon.generate("Hi")["done"]
        assert daemon.http.get("/api/snapshot").json()["memory_total"] <= 210 * MB


def test_what_is_reckoned_is_what_a_runner_takes(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_random(path, layers=8, width=512, vocab=8000)
    with running_daemon(tmp_path) as daemon:
        add_model(daemon.models, "model", path)
        options = {"num_predict": 8, "num_ctx": 2048}
        daemon.generate("word " * 300, model="model", options=options)
        (runner,) = daemon.runners
        family = [runner, *runner.children(recursive=True)]
        taken = sum(process.memory_info().rss for process in family)

    reckoned = Layout({}).takes(footprint(read_header(path), 0, Scale()), 2048, "f16")
    assert 0.8 < reckoned.host / taken < 1.25


async def cache_of_an_embedder(folder: Path) -> tuple[int, int]:
    """Bytes of its keys and values, and what is reckoned of them."""
    path = folder / "model.gguf"
    write_embedder(path, pooling="last", context_length=32768)
    add_model(folder, "model", path)
    env = {"OLLAPY_MODELS": str(folder), "OLLAPY_STATE": str(folder)}
    settings = Settings.from_env(env)
    pool = RunnerPool(settings, Metrics())
    try:
        model = Store(settings.models).get(ModelName.parse("model"))
        async with pool.runner(model, Options(), None):
            (runner,) = pool.runners
            assert runner.ready
            assert runner.placed
            cells, layers = (
                runner.placed.num_cells,
                footprint(model.header, 0, Scale()).layers,
            )
            return (
                sum(b.size for b in runner.ready.buffers if b.purpose == "cache"),
                sum(layer.keeps(cells, "f16") for layer in layers),
            )
    finally:
        await pool.close(0)


def test_a_model_that_embeds_is_reckoned_with_its_longest_text(tmp_path: Path) -> None:
    taken, reckoned = asyncio.run(cache_of_an_embedder(tmp_path))

    assert taken == reckoned
