"""What is kept of prompts is used only where all of it is as it was, and never in the way of an answer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scripts.make_gguf import write_lora, write_random
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.disk import small_disk
from tests.support.kept import PROMPT, ask, files, restored, stop
from tests.support.models import add_files, add_model
from tests.support.terminal import ollapy
from tests.support.waiting import eventually

OTHER = PROMPT.replace("April", "August")
SHORT = PROMPT[:1200]


def said(answer: dict[str, Any]) -> str:
    return str(answer["response"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trust")


@pytest.fixture(scope="module")
def own(folder: Path) -> Iterator[Daemon]:
    with running_daemon(folder) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def fresh(own: Daemon) -> str:
    """The answer where nothing is kept."""
    return said(ask(own))


@pytest.fixture
def kept(own: Daemon, folder: Path, fresh: str) -> Iterator[Path]:
    """The one file there is, of the prompt that the answer was to."""
    own.post("/api/prune", kv_cache=True)
    ask(own)
    stop(own)
    (path,) = files(folder)
    yield path
    stop(own)


def test_the_answer_is_the_same(own: Daemon, kept: Path, fresh: str) -> None:
    """To the last bit that of a model that never left; how sure it is of a prompt read anew depends on its parts."""
    answer = ask(own, logprobs=True, top_logprobs=3)
    entry = own.http.get("/api/requests").json()["requests"][0]
    why = ollapy("why", str(entry["id"]), host=own.address).out
    stayed = ask(own, logprobs=True, top_logprobs=3)

    assert restored(answer) > 200
    assert not restored(stayed)
    assert answer["logprobs"] == stayed["logprobs"]
    assert said(answer) == said(stayed) == fresh
    assert f"{restored(answer):,} of them were brought back from the disk" in why


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size * 2 // 3)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def open_up(path: Path) -> None:
    path.chmod(0o644)


def give_away(path: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize("change", [flip, cut, open_up, give_away])
def test_a_file_that_is_not_as_it_was(
    own: Daemon, kept: Path, fresh: str, change: Callable[[Path], None]
) -> None:
    change(kept)
    before = own.log.read_text().count("ignored and removed")

    answer = ask(own)

    assert not restored(answer)
    assert said(answer) == fresh
    assert own.log.read_text().count("ignored and removed") == before + 1
    assert not kept.exists()


def test_a_folder_that_others_can_reach(own: Daemon, kept: Path, fresh: str) -> None:
    kept.parent.parent.chmod(0o755)
    answer = ask(own)
    stop(own)
    assert "must be yours alone (chmod 700)" in own.log.read_text()
    told_by = ollapy("doctor", host=own.address, env={"OLLAPY_KV_CACHE_DIR": str(kept.parent.parent)})  # fmt: skip
    kept.parent.parent.chmod(0o700)

    assert not restored(answer)
    assert said(answer) == fresh
    assert kept.exists()
    assert "chmod 700" in told_by.out


def test_another_model_or_adapter_of_the_same_name(own: Daemon, folder: Path) -> None:
    def meaning(*layers: tuple[str, Path]) -> tuple[int, str]:
        """What comes back for a model that is made of these, and what it says."""
        if layers:
            add_files(own.models, "it", *layers)
        answer = ask(own, SHORT, model="it")
        stop(own, "it")
        return restored(answer), said(answer)

    write_random(other := folder / "other.gguf")
    lora = write_lora(folder / "lora.gguf", TINY, strength=0.3)
    own.post("/api/prune", kv_cache=True)

    plain, others = ("model", TINY), ("model", other)
    strong = ("adapter", lora)
    first = [meaning(*layers) for layers in ((plain,), (others,), (plain, strong))]

    assert [count for count, _ in first] == [0, 0, 0]
    assert len({text for _, text in first}) == 3
    count, text = meaning()
    assert count > 200
    assert text == first[-1][1]


def test_a_model_that_is_removed_leaves_nothing(own: Daemon, folder: Path) -> None:
    write_random(weights := folder / "gone.gguf", seed=3)
    add_model(own.models, "gone", weights)
    ask(own, SHORT, model="gone")
    stop(own, "gone")
    ask(own, SHORT, model="gone")
    before = files(folder)

    own.delete("gone")  # while it is loaded
    eventually(lambda: not own.runners, "the runner stays")

    assert len(before) - len(files(folder)) == 1


def test_pruning(own: Daemon, kept: Path) -> None:
    mine = kept.parent.parent / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    would = ollapy("prune", "--kv-cache", "--dry-run", host=own.address)
    assert kept.exists()
    done = ollapy("prune", "--kv-cache", host=own.address)

    assert would.status == done.status == 0
    assert not kept.exists()
    assert (mine / "thesis.txt").exists()


def test_another_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another type of the cells, another build of llama.cpp, and none at all: what is kept stays for its own."""
    import llama_cpp

    with running_daemon(tmp_path) as daemon:
        said_by_own = said(ask(daemon, SHORT))
    (own,) = files(tmp_path)

    with running_daemon(tmp_path, KV_CACHE_TYPE="q8_0") as daemon:
        assert not restored(ask(daemon, SHORT))
    library = tmp_path / "lib"
    build = Path(llama_cpp.__file__).parent / "lib"
    shutil.copytree(build, library, copy_function=shutil.copy)  # newer than the other
    with monkeypatch.context() as patch:
        patch.setenv("LLAMA_CPP_LIB_PATH", str(library))
        with running_daemon(tmp_path) as daemon:
            assert not restored(ask(daemon, SHORT))
    kept = files(tmp_path)
    assert len(kept) == 3
    assert own in kept
    with running_daemon(tmp_path, KV_CACHE="0") as daemon:
        answer = ask(daemon, SHORT)
        stop(daemon)
        off = ollapy("doctor", host=daemon.address, env={"OLLAPY_KV_CACHE": "0"})
    assert not restored(answer)
    assert said(answer) == said_by_own
    assert files(tmp_path) == kept
    assert "off, as OLLAPY_KV_CACHE says" in off.out


@pytest.mark.parametrize("whom", ["runner", "daemon"])
def test_a_kill_while_it_is_saved(tmp_path: Path, whom: str) -> None:
    """Whatever was on the disk then, the next start answers right, and leaves no half file."""
    with running_daemon(tmp_path) as daemon:
        first = ask(daemon)
        runner = daemon.runners[0]
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(daemon.post, "/api/generate", model="tiny", keep_alive=0)  # fmt: skip
            eventually(lambda: bool(files(tmp_path, "*")), "nothing is saved")
            if whom == "runner":
                runner.kill()
            else:
                daemon.process.kill()
            asked.exception()
        eventually(lambda: not runner.is_running() or runner.status() == "zombie", "the runner stays")  # fmt: skip
    left = (tmp_path / "kv").glob("*")
    (half := next(left) / f".new-{runner.pid}-half").write_bytes(b"half")

    with running_daemon(tmp_path) as daemon:
        assert said(ask(daemon)) == said(first)
        ask(daemon, OTHER)

    assert not half.exists()
    assert {path.suffix for path in files(tmp_path, "*")} == {".kv"}


def test_two_daemons_on_one_folder(tmp_path: Path) -> None:
    """Both answer right, and keep no more than is allowed to both together."""
    prompts = [f"{number} {SHORT}" for number in range(2)]

    def work(daemon: Daemon) -> list[str]:
        answers = []
        for prompt in (*prompts, *prompts):
            answers.append(said(ask(daemon, prompt)))
            stop(daemon)
        return answers

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    most = 800_000  # one of them has 500,000
    shared = {"KV_CACHE": f"{most}", "KV_CACHE_DIR": str(tmp_path / "kv")}
    with (
        running_daemon(tmp_path / "a", **shared) as a,
        running_daemon(tmp_path / "b", **shared) as b,
        ThreadPoolExecutor(2) as pool,
    ):
        right = [said(ask(a, prompt)) for prompt in prompts] * 2
        both = list(pool.map(work, (a, b)))

    assert both == [right, right]
    (left,) = files(tmp_path, "*")
    assert 0 < left.stat().st_size <= most
    assert "Traceback" not in a.log.read_text() + b.log.read_text()


def test_a_full_disk(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "small", size=32 << 20) as disk,
        running_daemon(tmp_path, KV_CACHE_DIR=str(disk / "kv")) as daemon,
    ):
        first = ask(daemon)
        stop(daemon)
        second = ask(daemon)
        found = ollapy("doctor", host=daemon.address, env={"OLLAPY_KV_CACHE_DIR": str(disk / "kv")})  # fmt: skip
        log = daemon.log.read_text()
        left = [*disk.glob("kv/*/*")]

    assert said(second) == said(first)
    assert "tokens not kept: the disk has" in log
    assert "kv cache" in found.out
    assert left == []
