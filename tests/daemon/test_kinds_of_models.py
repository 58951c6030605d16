"""Models of every architecture, asked over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.make_gguf import (
    write_encoder_decoder,
    write_hybrid,
    write_recurrent,
    write_sliding,
)
from tests.support.daemon import Daemon
from tests.support.models import add_model

KINDS: dict[str, Callable[[Path], None]] = {
    "encoder-decoder": write_encoder_decoder,
    "hybrid": write_hybrid,
    "recurrent": write_recurrent,
    "sliding": write_sliding,
}
TEXT = "the quick brown fox jumps over the lazy dog and runs away " * 5


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_and_reads_a_prompt_once(
    daemon: Daemon, tmp_path: Path, kind: str
) -> None:
    KINDS[kind](weights := tmp_path / "model.gguf")
    add_model(daemon.models, kind, weights)
    options = {"temperature": 0, "num_predict": 8}
    first, second = (
        daemon.generate(TEXT, model=kind, options=options) for _ in range(2)
    )
    report = second["ollapy"]["context"]

    assert 0 < first["eval_count"] <= 8
    assert first["response"] == second["response"]
    assert first["prompt_eval_count"] == second["prompt_eval_count"] > 50
    if kind == "encoder-decoder":
        assert report["cached_tokens"] == 0, "an encoder reads all of it each time"
    else:
        assert report["prompt_tokens"] - 8 <= report["cached_tokens"]
    daemon.delete(kind)


def test_an_encoders_prompt_may_not_be_longer_than_it_reads_at_once(
    daemon: Daemon, tmp_path: Path
) -> None:
    write_encoder_decoder(weights := tmp_path / "model.gguf")
    add_model(daemon.models, "encoder-decoder", weights)
    response = daemon.post(
        "/api/generate", model="encoder-decoder", prompt="word " * 600, raw=True
    )
    daemon.delete("encoder-decoder")

    assert response.status_code == 400
    assert "context length" in response.json()["error"]
