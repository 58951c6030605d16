"""Models of several files through a real daemon: split weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_files
from tests.support.parts import split

QUESTION = "What is the capital of Japan?"
ANSWER = "The capital of Japan is Tokyo."


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    with running_daemon(tmp_path) as daemon:
        yield daemon


def test_a_split_model_answers_as_the_whole_one(
    own: Daemon, tiny: Path, tmp_path: Path
) -> None:
    parts = split(tiny, tmp_path, 3)
    add_files(own.models, "cut", *(("model", part) for part in parts))

    assert own.generate(QUESTION, model="cut")["response"] == ANSWER
    shown = own.post("/api/show", model="cut").json()
    whole = own.post("/api/show", model="tiny").json()
    assert shown["tensors"] == whole["tensors"]
    assert shown["details"] == whole["details"]


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 1), (0, 1, 1)])
def test_parts_that_do_not_make_a_model(
    own: Daemon, tiny: Path, tmp_path: Path, order: tuple[int, ...]
) -> None:
    parts = split(tiny, tmp_path, 3)
    add_files(own.models, "cut", *(("model", parts[number]) for number in order))

    response = own.post("/api/generate", model="cut", prompt=QUESTION, stream=False)

    assert response.status_code == 400
    assert "says that it is number" in response.json()["error"]
