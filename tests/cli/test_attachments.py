"""Paths of pictures in what is said to `ollapy run`: found as they are typed, dragged or quoted, and shown to the model."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollapy.cli.attachments import attached, begins_with_file
from ollapy.errors import InvalidRequest
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_seeing
from tests.support.pictures import jpeg, png
from tests.support.terminal import ollapy, terminal

PICTURE = png(seed=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(PICTURE)
    (tmp_path / "two words (1).PNG").write_bytes(PICTURE)
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "false.png").write_text("no picture either")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said", "count"),
    [
        ("What is ./a.png?", "What is ?", 1),
        ("{}/a.png", "", 1),
        ("~/a.png what is it", "what is it", 1),
        ("./sub/../a.png and ./photo.jpg differ", "and  differ", 2),
        (r"See ./two\ words\ \(1\).PNG there", "See  there", 1),
        ("See ./two words (1).PNG there", "See  there", 1),
        ("See './two words (1).PNG' there", "See  there", 1),
        ('See "./a.png" there', "See  there", 1),
        ("In /etc is nothing like ./a.png.", "In /etc is nothing like .", 1),
        ("a.png has no slash", "a.png has no slash", 0),
        ("./missing.png is not there", "./missing.png is not there", 0),
        ("./a.pngx, ./notes.txt, https://x.org/a.png", "./a.pngx, ./notes.txt, https://x.org/a.png", 0),
        ("/" * 5000 + ".png \0/x.png", "/" * 5000 + ".png \0/x.png", 0),
    ],
)  # fmt: skip
def test_paths_are_found(folder: Path, text: str, said: str, count: int) -> None:
    message = attached(text.replace("{}", str(folder)))
    assert message.content == said
    assert len(message.images or []) == count


def test_the_file_is_sent_and_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = attached("What is ./a.png")
    assert message.images == [base64.b64encode(PICTURE).decode()]
    assert capsys.readouterr().err == "Added image 'a.png'\n"


def test_what_is_no_picture_is_named(folder: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"^'false\.png' is of no supported kind"):
        attached("What is ./false.png")


def test_a_path_is_no_command(folder: Path) -> None:
    assert begins_with_file(f"{folder}/a.png what is it")
    assert not begins_with_file("/set system ./a.png")
    assert not begins_with_file("/bye")


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("seeing")
    (folder / "one.png").write_bytes(png(64, 48, seed=1))
    (folder / "two.png").write_bytes(png(64, 48, seed=2))
    add_seeing(folder / "models")
    with running_daemon(folder) as daemon:
        yield daemon


def test_one_question_about_a_picture(seeing: Daemon) -> None:
    answers = []
    for name in ("one.png", "one.png", "two.png"):
        path = seeing.models.parent / name
        words = ("run", "seeing", f"What is {path}?", "-o", "num_predict=12", "-o", "temperature=0", "--json")  # fmt: skip
        result = ollapy(*words, host=seeing.address)
        assert (result.status, result.err) == (0, f"Added image '{path}'\n")
        answers.append(json.loads(result.out)["content"])
    assert answers[0] == answers[1] != answers[2]


def test_a_blind_model_reads_the_path(seeing: Daemon) -> None:
    path = seeing.models.parent / "one.png"
    result = ollapy(
        "run", "tiny", f"{path}", "-o", "num_predict=1", host=seeing.address
    )
    assert result.status == 0
    assert "Added" not in result.err


def test_a_session_about_pictures(seeing: Daemon) -> None:
    path = seeing.models.parent / "one.png"
    words = ("run", "seeing", "-o", "num_predict=4")
    with terminal(*words, host=seeing.address, rows=100) as session:
        session.shows(">>> Send a message")
        session.type(f"{path} what is it?\r")
        session.shows(f"Added image '{path}'")
        session.shows("context ")
        session.type("/undo\r")
        session.shows("Forgot: what is it?")
        session.type("/bye\r")
