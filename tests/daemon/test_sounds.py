"""Sounds over HTTP, for a model whose projector hears."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_hearing
from tests.support.pictures import png
from tests.support.sounds import wav


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("hearing")
    add_hearing(folder / "models", "ear")
    with running_daemon(folder) as daemon:
        yield daemon


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def chat(daemon: Daemon, sound: bytes) -> Any:
    message = {"role": "user", "content": "What?", "images": [encoded(sound)]}
    body = {"messages": [message], "stream": False, "options": {"temperature": 0, "num_predict": 12}}  # fmt: skip
    return daemon.post("/api/chat", model="ear", **body)


def test_what_is_heard_decides_the_answer(hearing: Daemon) -> None:
    answers = [chat(hearing, wav(*p)).json() for p in ((440, 880), (440, 880), (3000,))]
    one, same, other = (answer["message"]["content"] for answer in answers)
    assert one == same != other
    assert answers[0]["prompt_eval_count"] > 250, "a sound's tokens count"


def test_openai_calls_them_input_audio(hearing: Daemon) -> None:
    audio = {"data": encoded(wav(440)), "format": "wav"}
    parts = [{"type": "input_audio", "input_audio": audio}, {"type": "text", "text": "What?"}]  # fmt: skip
    body = {"messages": [{"role": "user", "content": parts}], "temperature": 0, "max_tokens": 12}  # fmt: skip
    answer = hearing.post("/v1/chat/completions", model="ear", **body).json()
    said = answer["choices"][0]["message"]["content"]
    assert said == chat(hearing, wav(440)).json()["message"]["content"]


def test_a_model_that_hears_says_so_and_does_not_see(hearing: Daemon) -> None:
    shown = hearing.post("/api/show", model="ear").json()
    assert shown["capabilities"] == ["completion", "audio"]
    assert chat(hearing, png()).json()["error"] == '"ear" does not support images'


def test_damaged_sounds_bring_nothing_down(hearing: Daemon) -> None:
    rng, whole = random.Random(0), wav(440)
    assert chat(hearing, whole).status_code == 200
    (runner,) = hearing.runners
    for _ in range(12):
        sound = bytearray(whole[: rng.choice([12, 40, 44, 48, 500, len(whole)])])
        for _ in range(rng.choice([0, 2, 8])):
            sound[rng.randrange(min(len(sound), 60))] = rng.randrange(256)
        assert chat(hearing, bytes(sound)).status_code in (200, 400)
    for start in (b"ID3\3\0\0\0\0\0\0", b"\xff\xfb\x90\x00", b"fLaC\0\0\0\x22"):
        assert chat(hearing, start + rng.randbytes(2000)).status_code in (200, 400)
    assert hearing.runners == [runner]
