"""A disk that is full: before the first byte, in the middle, at the last file. What was there stays, and room is all it takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollapy.download.partial import BLOCK
from tests.reliability.test_crashes import OPERATIONS, Case, check, prepared
from tests.support import judge
from tests.support.crash_host import Host, Outcome
from tests.support.disk import PAGE, Filler, small_disk
from tests.support.misbehaving import Asked, Reply, misbehaving
from tests.support.offer import name_on, offer
from tests.support.raw_gguf import weights

SENTENCES = ("No space left on device", "not enough disk space")
NEED_NONE = ("remove", "prune")
ROOMS = [0, 1, 2, 3, 5, 8, 16, 64, 600, 1200]
MODEL = offer(model=weights(2 * BLOCK + 99, seed=2), template=b"{{ .Prompt }}")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("small") / "disk"
    with small_disk(folder, size=32 << 20, inodes=300) as disk:
        yield disk


@pytest.fixture
def models(disk: Path) -> Iterator[Path]:
    yield disk / "models"
    shutil.rmtree(disk / "models", ignore_errors=True)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("what", ["pages", "files"])
def test_whatever_room_there_is(
    host: Host, tmp_path: Path, disk: Path, models: Path, operation: str, what: str
) -> None:
    """More and more of it, until it is enough."""
    with prepared(host, tmp_path, operation) as case:
        for room in ROOMS:
            outcome = _with_room(case, host, models, **{what: room})
            if outcome.passed:
                break
            assert any(text in outcome.sentence for text in SENTENCES), outcome
    assert outcome.passed
    assert (room == 0) == (operation in NEED_NONE)


def _with_room(case: Case, host: Host, models: Path, **room: int) -> Outcome:
    shutil.rmtree(models, ignore_errors=True)
    shutil.copytree(case.before, models)
    filler = Filler(models.parent)
    filler.fill(**room)
    outcome = host.run(models, *case.command)
    filler.let_go()
    check(case, host, models, outcome)
    return outcome


def test_a_pull_that_does_not_fit_asks_for_no_byte(host: Host, models: Path) -> None:
    """It says what it needs and what there is."""
    filler = Filler(models.parent)
    filler.fill(pages=MODEL.size // PAGE)
    with misbehaving(MODEL.answer) as server:
        outcome = host.run(models, "pull", name_on(server).full)
        filler.let_go()

    assert outcome.sentence == (
        "not enough disk space: 2 MB are needed and 2 MB free, "
        "remove a model or set OLLAPY_MODELS to another disk"
    )
    assert server.served == 0


def test_somebody_else_takes_the_room_while_a_pull_runs(
    host: Host, models: Path
) -> None:
    """What came stays, and nothing of it comes again."""
    filler = Filler(models.parent)
    weights_digest = MODEL.layer("model")["digest"]

    def answer(asked: Asked, reply: Reply) -> None:
        if asked.path.endswith(weights_digest) and not server.served:
            filler.fill(pages=0)
        MODEL.answer(asked, reply)

    with misbehaving(answer) as server:
        name = name_on(server).full
        failed = host.run(models, "pull", name)
        assert "No space left" in failed.sentence or "disk space" in failed.sentence
        judge.check_sound(models)
        assert judge.manifests(models) == {}
        filler.let_go()

        assert host.run(models, "pull", name).passed
        server.settle()

    judge.check_sound(models)
    assert server.served == MODEL.size
