"""What must be refused: in Ollama's shape, in one sentence, with the daemon none the worse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.make_gguf import write_embedder, write_scripted
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_model

HI = {"model": "tiny", "prompt": "hi"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture(autouse=True)
def daemon_is_none_the_worse(daemon: Daemon) -> Iterator[None]:
    """The same process answers right after, and has said nothing it should not."""
    yield
    assert daemon.process.poll() is None
    assert "Tokyo" in daemon.generate("What is the capital of Japan?")["response"]
    assert "Traceback" not in daemon.log.read_text()


def refusal(daemon: Daemon, method: str, path: str, body: bytes) -> tuple[int, str]:
    response = daemon.http.request(method, path, content=body)
    assert response.headers["content-type"].startswith("application/json")
    assert list(response.json()) == ["error"]
    assert len(response.content) < 8192
    return response.status_code, response.json()["error"]


@pytest.mark.parametrize(
    "path", ["/api/generate", "/api/chat", "/api/embed", "/api/show", "/api/copy"]
)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"model":', id="cut-off"),
        pytest.param(b"{} {}", id="two"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"x"', id="string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"1", id="number"),
        pytest.param(b'{"model": "\xff"}', id="no-utf8"),
        pytest.param('{"model": "x"}'.encode("utf-16"), id="utf-16"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"model": ' + b"1" * 5000 + b"}", id="huge-number"),
        pytest.param(b'{"model": {}}', id="wrong-type"),
        pytest.param(b'{"options": NaN}', id="nan"),
    ],
)
def test_malformed_bodies(daemon: Daemon, path: str, body: bytes) -> None:
    """B052-B056"""
    status, error = refusal(daemon, "POST", path, body)

    assert status in (400, 404)
    assert error


def test_a_body_that_is_cut_off_is_not_our_doing(daemon: Daemon) -> None:
    answer = refusal(daemon, "POST", "/api/chat", b'{"model":')

    assert answer == (400, "JSON is malformed: it ends too soon")


def test_a_body_that_is_no_text(daemon: Daemon) -> None:
    answer = refusal(daemon, "POST", "/api/chat", b'{"model": "\xe9"}')

    assert answer == (400, "the request body is not UTF-8")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\uDE00b", "\ufffdb"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d!", "\\\ufffd!"),
    ],
)
def test_half_an_emoji(daemon: Daemon, written: str, read: str) -> None:
    """JavaScript sends it where it has cut a text; what a prompt has of it is what others show."""
    body = f'{{"model": "tiny", "prompt": "<{written}>"}}'
    answer = daemon.http.post("/api/render", content=body.encode())

    assert answer.status_code == 200, answer.text
    assert f"<{read}>" in answer.json()["prompt"]


def test_an_empty_body_has_ollamas_words(daemon: Daemon) -> None:
    assert refusal(daemon, "POST", "/api/generate", b"") == (
        400,
        "missing request body",
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/generate", {"prompt": "x"}, 404, "model '' not found"),
        ("/api/chat", {"messages": []}, 400, "model is required"),
        ("/api/embed", {"input": "x"}, 404, "model '' not found"),
        ("/api/show", {}, 400, "model is required"),
        (
            "/api/generate",
            {"model": "nope", "prompt": "x"},
            404,
            "model 'nope' not found",
        ),
        ("/api/chat", {"model": "nope", "messages": []}, 404, "model 'nope' not found"),
        (
            "/api/embed",
            {"model": "nope"},
            404,
            'model "nope" not found, try pulling it first',
        ),
        ("/api/show", {"model": "nope"}, 404, "model 'nope:latest' not found"),
        (
            "/api/generate",
            {"model": "a/../b", "prompt": "x"},
            400,
            "invalid model name",
        ),
        ("/api/generate", {"model": "x\n", "prompt": "x"}, 400, "invalid model name"),
        (
            "/api/copy",
            {"source": "nope", "destination": "x"},
            404,
            'model "nope" not found',
        ),
        (
            "/api/copy",
            {"source": "../x", "destination": "x"},
            400,
            'source "../x" is invalid',
        ),
        (
            "/api/copy",
            {"source": "tiny", "destination": "x:.."},
            400,
            'destination "x:.." is invalid',
        ),
        (
            "/api/generate",
            {**HI, "options": {"num_ctx": "x"}},
            400,
            'option "num_ctx" must be of type integer',
        ),
        (
            "/api/generate",
            {**HI, "options": {"stop": 5}},
            400,
            'option "stop" must be of type array',
        ),
        (
            "/api/generate",
            {**HI, "top_logprobs": 21},
            400,
            "top_logprobs must be between 0 and 20",
        ),
        (
            "/api/generate",
            {**HI, "keep_alive": "10"},
            400,
            'time: missing unit in duration "10"',
        ),
        (
            "/api/generate",
            {**HI, "keep_alive": "abc"},
            400,
            'time: invalid duration "abc"',
        ),
        (
            "/api/generate",
            {**HI, "raw": True, "system": "x"},
            400,
            "raw mode does not support template, system, or context",
        ),
        *(
            (
                "/api/generate",
                {**HI, "model": name},
                403,
                "ollama cloud is disabled: remote model is unavailable, use one that runs here",
            )
            for name in ("gpt-oss:120b-cloud", "kimi:cloud")
        ),
        (
            "/api/generate",
            {**HI, "format": "xml"},
            400,
            'invalid format: "xml"; expected "json" or a valid JSON Schema object',
        ),
        (
            "/api/generate",
            {**HI, "images": ["aGk="]},
            400,
            '"tiny" does not support images',
        ),
        (
            "/api/generate",
            {**HI, "context": [10**6]},
            400,
            "context holds a token that is not in the model's vocabulary",
        ),
        (
            "/api/generate",
            {**HI, "context": [-1]},
            400,
            "context holds a token that is not in the model's vocabulary",
        ),
    ],
)
def test_refusals_in_ollamas_words(
    daemon: Daemon, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    assert refusal(daemon, "POST", path, json.dumps(body).encode()) == (status, error)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nope", "model 'nope' not found"),
        ("../x", 'name "../x" is invalid'),
        ("", "model is required"),
    ],
)
def test_deleting_what_is_not_there(daemon: Daemon, name: str, error: str) -> None:
    assert (
        refusal(daemon, "DELETE", "/api/delete", json.dumps({"model": name}).encode())[
            1
        ]
        == error
    )


def test_the_built_in_model_cannot_be_removed(daemon: Daemon) -> None:
    status, error = refusal(daemon, "DELETE", "/api/delete", b'{"model": "tiny"}')

    assert (status, error) == (
        400,
        "model 'tiny:latest' is built in and cannot be removed",
    )


@pytest.mark.parametrize("think", ["hard", "", -3, 1.5, [True]])
def test_think_values(daemon: Daemon, think: Any) -> None:
    status, error = refusal(
        daemon, "POST", "/api/generate", json.dumps({**HI, "think": think}).encode()
    )

    assert status == 400
    assert "think" in error


@pytest.mark.parametrize(
    "options",
    [
        {"num_ctx": 2**40},
        {"num_ctx": 0},
        {"num_ctx": -5},
        {"num_ctx": 40.9},
        {"temperature": -1, "top_p": 5, "min_p": 2, "typical_p": 0, "top_k": -5},
        {"temperature": 1e38, "top_k": 2**31, "repeat_penalty": 0, "repeat_last_n": -2},
        {"top_p": 0, "min_p": 1},
        {
            "num_keep": -5,
            "num_batch": 0,
            "num_gpu": -7,
            "num_thread": 1_000_000,
            "main_gpu": 99,
        },
        {"presence_penalty": 1e38, "frequency_penalty": -1e38},
        {"seed": 2**63, "num_predict": 3},
        {"rpc": "evil:1", "lora": "/etc/passwd", "model_path": "/x", "n_discard": -1},
        {"stop": ["", "a" * 4096]},
        {"temperature": None, "stop": None},
    ],
    ids=str,
)
def test_absurd_options_are_clamped_or_ignored(
    daemon: Daemon, options: dict[str, Any]
) -> None:
    """B180-B199: an answer all the same, and nothing that aborts llama.cpp reaches it."""
    answer = daemon.generate("What is 2 + 2?", options={"num_predict": 8, **options})

    assert answer["done_reason"] in ("stop", "length")


@pytest.mark.parametrize(
    "body",
    [
        {"context": [2**70]},
        {"think": 2**70},
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"function": {"name": "f", "arguments": {"x": 10**25}}}
                    ],
                }
            ]
        },
    ],
    ids=["context", "think", "arguments"],
)
def test_numbers_that_no_machine_has(daemon: Daemon, body: dict[str, Any]) -> None:
    path = "/api/chat" if "messages" in body else "/api/generate"
    status, error = refusal(daemon, "POST", path, json.dumps({**HI, **body}).encode())

    assert status == 400
    assert "too large" in error


def test_a_text_beyond_any_context_is_not_even_read(daemon: Daemon) -> None:
    status, error = refusal(
        daemon,
        "POST",
        "/api/generate",
        json.dumps({**HI, "prompt": "word " * 10**6}).encode(),
    )

    assert status == 400
    assert "far more than the context length of 4096 tokens" in error


def test_unknown_paths_and_wrong_methods(daemon: Daemon) -> None:
    missing, wrong = daemon.http.get("/api/nope"), daemon.http.get("/api/generate")

    assert missing.status_code == 404
    assert missing.text == "404 page not found: /docs shows those there are"
    assert (wrong.status_code, wrong.text) == (405, "405 method not allowed")
    assert daemon.http.get("/api/tags/").status_code == 404
    assert "it is /," not in daemon.http.get("/v1/").text


@pytest.mark.parametrize("path", ["/api/chat", "/v1/messages", "/v1/completions"])
def test_a_wrong_method_is_told_the_right_one(daemon: Daemon, path: str) -> None:
    """B002"""
    answer = daemon.http.get(path)

    assert (answer.status_code, answer.headers.get("allow")) == (405, "POST")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/v1/api/chat", "/api/chat"),
        ("/api/v1/embeddings", "/v1/embeddings"),
        ("/api/chat/", "/api/chat"),
        ("//v1/messages", "/v1/messages"),
    ],
)
def test_a_base_url_with_too_little_or_too_much(
    daemon: Daemon, path: str, meant: str
) -> None:
    answer = daemon.http.post(path, json={})

    assert answer.status_code == 404
    assert f"it is {meant}, see the base URL of the client" in answer.text


def test_a_body_beyond_any_use(daemon: Daemon) -> None:
    """B023"""
    body = b'{"model": "tiny", "prompt": "' + b"x" * (64 << 20) + b'"}'

    assert daemon.http.post("/api/generate", content=body).status_code == 413


def test_a_prompt_of_a_megabyte(daemon: Daemon) -> None:
    """B200: it is read, found too long, and refused with its size."""
    status, error = refusal(
        daemon,
        "POST",
        "/api/generate",
        json.dumps({**HI, "prompt": "word " * 200_000}).encode(),
    )

    assert status == 400
    assert "4096 maximum context length" in error


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        pytest.param(PNG, "cannot be run", id="png"),
        pytest.param(b"", "cannot be run", id="empty"),
        pytest.param(TINY.read_bytes()[:23], "cannot be run", id="header-cut"),
        pytest.param(TINY.read_bytes()[:100_000], "cannot be run", id="weights-cut"),
    ],
)
def test_files_that_are_no_models(
    tmp_path: Path, weights: bytes, complaint: str
) -> None:
    """No path in the answer, no runner for the file, and the other models are listed and run."""
    (tmp_path / "bad.gguf").write_bytes(weights)
    add_model(tmp_path / "models", "bad", tmp_path / "bad.gguf")
    with running_daemon(tmp_path) as own:
        status, error = refusal(
            own, "POST", "/api/generate", b'{"model": "bad", "prompt": "hi"}'
        )
        names = [m["name"] for m in own.http.get("/api/tags").json()["models"]]

        assert status == 400
        assert complaint in error
        assert str(tmp_path) not in error
        assert names == ["tiny:latest"]
        assert "Tokyo" in own.generate("What is the capital of Japan?")["response"]


def test_a_foreign_page_may_not_ask(daemon: Daemon) -> None:
    """B025, B041: on every path and method, before anything is done."""
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        for method, path in (
            ("POST", "/api/shutdown"),
            ("DELETE", "/api/delete"),
            ("GET", "/nowhere"),
            ("HEAD", "/"),
        ):
            response = daemon.http.request(method, path, headers=headers)
            assert (response.status_code, response.content) == (403, b"")


def test_a_broken_template_is_the_chats_trouble_alone(tmp_path: Path) -> None:
    """The model loads; what needs no template works, and a chat says what is wrong with it."""
    write_scripted(tmp_path / "broken.gguf", "All is well.", chat_template="{% if %}")
    add_model(tmp_path / "models", "broken", tmp_path / "broken.gguf")
    with running_daemon(tmp_path) as own:
        status, error = refusal(
            own, "POST", "/api/generate", b'{"model": "broken", "prompt": "hi"}'
        )
        raw = own.generate("hi", model="broken", raw=True, think=None)

    assert (status, error[:27]) == (400, "the chat template failed: E")
    assert raw["response"] == "All is well."


def test_an_embedding_model_embeds_and_does_nothing_else(tmp_path: Path) -> None:
    write_embedder(tmp_path / "embedder.gguf")
    add_model(tmp_path / "models", "embedder", tmp_path / "embedder.gguf")
    with running_daemon(tmp_path) as own:
        vectors = own.post("/api/embed", model="embedder", input=["one", "two"]).json()[
            "embeddings"
        ]
        cut = own.post(
            "/api/embed", model="embedder", input="one", options={"num_ctx": -1}
        ).json()["embeddings"]
        refused = refusal(
            own,
            "POST",
            "/api/chat",
            b'{"model": "embedder", "messages": [{"role": "user", "content": "hi"}]}',
        )

    assert [len(vector) for vector in vectors] == [64, 64]
    assert cut[0] == pytest.approx(vectors[0], abs=1e-4), (
        "a length that is none cuts nothing"
    )
    assert refused == (400, '"embedder" does not support chat')
