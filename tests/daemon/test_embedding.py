"""`/api/embed` on every kind of model: what it gives, how long a text may be, who is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.make_gguf import write_embedder, write_encoder_decoder
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_model


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with an embedder that reads in parts, one that must not, a reranker and a T5."""
    folder = tmp_path_factory.mktemp("embedding")
    for name, pooling in (("causal", "last"), ("whole", "cls"), ("reranker", "rank")):
        path = folder / f"{name}.gguf"
        write_embedder(path, pooling=pooling, context_length=1500)
        add_model(folder / "models", name, path)
    write_encoder_decoder(folder / "t5.gguf")
    add_model(folder / "models", "t5", folder / "t5.gguf")
    with running_daemon(folder) as daemon:
        yield daemon


@pytest.mark.parametrize("model", ["causal", "whole"])
def test_a_text_may_be_as_long_as_the_context(own: Daemon, model: str) -> None:
    longest = {"causal": 1499, "whole": 1498}[
        model
    ]  # beside the end token, and the beginning's

    texts = ["a" * longest, "a" * (longest + 1), "a" * 3000]
    answer = own.post("/api/embed", model=model, input=texts).json()
    refused = own.post("/api/embed", model=model, input=texts[1], truncate=False)

    assert answer["prompt_eval_count"] == 3 * 1500
    exact, cut, far = answer["embeddings"]
    assert cut == pytest.approx(exact, abs=1e-3), "cut before its end token"
    assert far == pytest.approx(exact, abs=1e-3)
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "the input length exceeds the context length",
    )


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("reranker", "this model ranks documents and makes no vectors"),
        ("t5", "this model makes text and no vectors"),
    ],
)
def test_models_without_vectors(own: Daemon, model: str, error: str) -> None:
    response = own.post("/api/embed", model=model, input="one")

    assert (response.status_code, response.json()) == (400, {"error": error})
