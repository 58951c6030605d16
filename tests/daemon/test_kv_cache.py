"""What was computed of a prompt outlives its model, and is never used where anything about it is not as it was."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.make_gguf import (
    write_hybrid,
    write_llava,
    write_qwen2,
    write_random,
    write_recurrent,
    write_sliding,
)
from tests.support.daemon import Daemon, running_daemon
from tests.support.kept import PROMPT, ask, context, files, stop
from tests.support.models import add_model
from tests.support.pictures import png


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    with running_daemon(tmp_path) as daemon:
        yield daemon


def test_a_chat_goes_on_after_its_model_was_unloaded(
    own: Daemon, tmp_path: Path
) -> None:
    first = ask(own)
    assert not context(first)["cached_tokens"]
    stop(own)

    second = ask(own)

    assert second["response"] == first["response"]
    told = context(second)
    assert told["cached_tokens"] == told["restored_tokens"] > 200
    (file,) = files(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert "ollapy_restored_prompt_tokens_total" in own.http.get("/metrics").text


def test_and_after_the_daemon_was(tmp_path: Path) -> None:
    with running_daemon(tmp_path) as daemon:
        first = ask(daemon)
    with running_daemon(tmp_path) as daemon:
        second = ask(daemon)

    assert second["response"] == first["response"]
    assert context(second)["restored_tokens"] > 200


@pytest.mark.parametrize(
    "write", [write_qwen2, write_sliding, write_hybrid, write_recurrent]
)
def test_so_it_does_with_every_kind_of_model(
    own: Daemon, tmp_path: Path, write: Any
) -> None:
    write(path := tmp_path / "model.gguf")
    add_model(own.models, "model", path)
    prompt = PROMPT[: len(PROMPT) // 2]
    first = ask(own, prompt, model="model")
    stop(own, "model")

    second = ask(own, prompt, model="model")

    assert second["response"] == first["response"]
    assert context(second)["restored_tokens"] > 200


def test_so_it_does_before_a_picture(tmp_path: Path) -> None:
    weights, projector = tmp_path / "weights.gguf", tmp_path / "mmproj.gguf"
    write_random(weights)
    write_llava(projector)
    add_model(tmp_path / "models", "seeing", weights, projector=projector.read_bytes())
    with running_daemon(tmp_path, KV_CACHE="0") as daemon:
        alone = look(daemon, png(64, 48))
    with running_daemon(tmp_path) as daemon:
        look(daemon)
        stop(daemon, "seeing")

        seen = look(daemon, png(64, 48))

    assert seen["message"] == alone["message"]
    assert context(seen)["restored_tokens"] > 200


def look(daemon: Daemon, *pictures: bytes) -> dict[str, Any]:
    """The answer to a question about pictures behind a long system message."""
    images = [base64.b64encode(picture).decode() for picture in pictures]
    response = daemon.post(
        "/api/chat",
        model="seeing",
        stream=False,
        messages=[
            {"role": "system", "content": PROMPT[: len(PROMPT) // 3]},
            {"role": "user", "content": "What is this?", "images": images},
        ],
        options={"temperature": 0, "num_predict": 8},
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer
