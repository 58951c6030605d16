"""Rerank, tokenize, detokenize, render, and the older form of embed, on real models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.make_gguf import write_embedder
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_model

DOCUMENTS = ["a cat", "cheese", "a dog and a cat", "z", "the moon", "" + "b" * 30]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with two rerankers, one of them with a template, and an embedder."""
    folder = tmp_path_factory.mktemp("text")
    template = "query {query} document {document} relevant"
    for name, pooling, text in (
        ("reranker", "rank", ""),
        ("templated", "rank", template),
        ("embedder", "cls", ""),
    ):
        path = folder / f"{name}.gguf"
        write_embedder(path, pooling=pooling, context_length=64, rerank_template=text)
        add_model(folder / "models", name, path)
    with running_daemon(folder) as daemon:
        yield daemon


def rank(daemon: Daemon, path: str = "/api/rerank", **body: Any) -> dict[str, Any]:
    """A whole answer to a query about `DOCUMENTS`."""
    body = {"model": "reranker", "query": "cat", "documents": DOCUMENTS, **body}
    response = daemon.post(path, **body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def scores(answer: dict[str, Any]) -> list[float]:
    """By the documents' places."""
    ordered = sorted(answer["results"], key=lambda result: result["index"])
    return [result["relevance_score"] for result in ordered]


@pytest.mark.parametrize("path", ["/api/rerank", "/v1/rerank"])
@pytest.mark.parametrize("model", ["reranker", "templated"])
def test_documents_come_in_the_order_of_their_scores(
    own: Daemon, path: str, model: str
) -> None:
    answer = rank(own, path, model=model)

    results = answer["results"]
    given = [result["relevance_score"] for result in results]
    assert given == sorted(given, reverse=True)
    assert all(0 < score < 1 for score in given)
    assert len(set(given)) > 1
    assert sorted(result["index"] for result in results) == list(range(len(DOCUMENTS)))
    assert all("document" not in result for result in results)
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > 0


def test_a_score_is_the_documents_own(own: Daemon) -> None:
    """Whatever else is ranked beside it."""
    together = scores(rank(own))
    alone = [scores(rank(own, documents=[text]))[0] for text in DOCUMENTS]

    assert together == pytest.approx(alone, abs=1e-4)
    assert scores(rank(own, query="moon")) != pytest.approx(together, abs=1e-4)


def test_a_pair_is_put_together_as_the_model_was_trained(own: Daemon) -> None:
    """BERT: [CLS] query [SEP] document [SEP]; with a template its words and no more than the two around all."""
    one = {"query": "abc", "documents": ["de"]}

    assert rank(own, **one)["usage"]["prompt_tokens"] == 3 + 2 + 3
    letters = len("query abc document de relevant".replace(" ", ""))
    templated = rank(own, **one, model="templated")["usage"]["prompt_tokens"]
    assert templated == letters + 2


def test_the_best_with_their_texts(own: Daemon) -> None:
    documents = [{"text": text, "title": "x"} for text in DOCUMENTS]
    answer = rank(own, documents=documents, top_n=2, return_documents=True)

    assert [result["document"]["text"] for result in answer["results"]] == [
        DOCUMENTS[result["index"]] for result in rank(own)["results"][:2]
    ]


@pytest.mark.parametrize("model", ["reranker", "templated"])
def test_a_document_that_is_too_long_is_cut(own: Daemon, model: str) -> None:
    long = rank(own, model=model, documents=["ab" * 100])
    refused = own.post(
        "/api/rerank",
        model=model,
        query="cat",
        documents=["ab" * 100],
        truncate=False,
    )
    cut = rank(own, model=model, documents=["abcdef"], max_tokens_per_doc=2)
    same = rank(own, model=model, documents=["ab"])

    assert long["usage"]["prompt_tokens"] == 64
    assert refused.status_code == 400
    assert "more than the 64 that are read at once" in refused.json()["error"]
    assert scores(cut) == pytest.approx(scores(same), abs=1e-4)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "model is required"),
        ({"model": "nope"}, 404, 'model "nope" not found, try pulling it first'),
        (
            {"model": "tiny", "query": "x", "documents": ["y"]},
            400,
            '"tiny" does not support rerank, which takes a model made for it',
        ),
        (
            {"model": "embedder", "query": "x", "documents": ["y"]},
            400,
            '"embedder" does not support rerank, which takes a model made for it',
        ),
        ({"model": "reranker"}, 400, "query and documents are required"),
        (
            {"model": "reranker", "query": "x", "documents": [{"title": "y"}]},
            400,
            "a document must be a text, or have one under text",
        ),
        (
            {"model": "reranker", "query": "x", "documents": ["y"], "top_n": -1},
            400,
            "top_n must be at least 1",
        ),
        (
            {"model": "reranker", "query": "x", "documents": ["y"] * 2049},
            400,
            "documents has 2049 entries, at most 2048 are taken at once",
        ),
        (
            {"model": "reranker", "query": "x" * 70, "documents": ["y"]},
            400,
            "the query leaves no room for a document in the 64 tokens that are read at once",
        ),
    ],
)
def test_refusals(own: Daemon, body: dict[str, Any], status: int, error: str) -> None:
    response = own.post("/api/rerank", **body)

    assert (response.status_code, response.json()) == (status, {"error": error})


def test_a_reranker_says_that_it_is_one(own: Daemon) -> None:
    shown = own.post("/api/show", model="reranker").json()

    assert shown["capabilities"] == ["rerank"]


@pytest.mark.parametrize("text", ["What is 2 + 2?", "", "äöü ☃ 🎉", "<|im_end|> x"])
def test_tokens_and_back(own: Daemon, text: str) -> None:
    tokens = own.post("/api/tokenize", model="tiny", content=text).json()["tokens"]
    same = own.post("/api/tokenize", model="tiny", prompt=text).json()["tokens"]
    back = own.post("/api/detokenize", model="tiny", tokens=tokens).json()["content"]

    assert same == tokens
    assert back == text


def test_control_tokens_are_read_where_they_are_spelled_out(own: Daemon) -> None:
    shown = own.post("/api/render", model="tiny", prompt="Hi").json()["prompt"]

    def count(**how: Any) -> int:
        body = {"model": "tiny", "content": shown, **how}
        return len(own.post("/api/tokenize", **body).json()["tokens"])

    assert count() < count(parse_special=False)


def test_special_tokens_come_around_a_text_on_demand(own: Daemon) -> None:
    def count(**how: Any) -> int:
        body = {"model": "embedder", "content": "abc", **how}
        return len(own.post("/api/tokenize", **body).json()["tokens"])

    assert (count(), count(add_special=True)) == (3, 5)


@pytest.mark.parametrize("token", [-1, 10**6, 2**31])
def test_tokens_that_the_vocabulary_lacks(own: Daemon, token: int) -> None:
    response = own.post("/api/detokenize", model="tiny", tokens=[token])

    assert response.status_code == 400
    assert response.json() == {
        "error": "tokens holds a token that is not in the model's vocabulary"
    }


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "What is 2 + 2?"},
        {"prompt": "raw text", "raw": True},
        {"messages": [{"role": "user", "content": "What is 2 + 2?"}]},
    ],
    ids=["generate", "raw", "chat"],
)
def test_the_rendered_prompt_is_what_the_model_reads(
    own: Daemon, body: dict[str, Any]
) -> None:
    route = "/api/chat" if "messages" in body else "/api/generate"
    rendered = own.post("/api/render", model="tiny", think=False, **body).json()
    answer = own.post(
        route,
        model="tiny",
        think=False,
        stream=False,
        options={"num_predict": 1},
        **body,
    ).json()
    tokens = own.post("/api/tokenize", model="tiny", content=rendered["prompt"]).json()

    assert rendered["num_tokens"] == answer["prompt_eval_count"]
    assert rendered["num_tokens"] == len(tokens["tokens"])


def test_nothing_to_render(own: Daemon) -> None:
    response = own.post("/api/render", model="tiny")

    assert response.status_code == 400
    assert response.json()["error"].startswith("there is nothing to render")


def test_the_older_form_of_embed(own: Daemon) -> None:
    new = own.post("/api/embed", model="embedder", input="cat").json()["embeddings"][0]
    old = own.post("/api/embeddings", model="embedder", prompt="cat").json()

    assert list(old) == ["embedding"]
    assert old["embedding"] == pytest.approx(new, abs=1e-5)
    assert own.post("/api/embeddings", model="embedder").json() == {"embedding": []}
    assert own.post("/api/embeddings").json() == {"error": "model is required"}


def test_status(own: Daemon) -> None:
    assert own.http.get("/api/status").json() == {
        "cloud": {"disabled": True, "source": "env"}
    }
