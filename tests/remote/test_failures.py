"""What another server says no to, as errors that name it and the cure."""

from __future__ import annotations

from typing import Any

import pytest

from ollapy.errors import (
    Busy,
    InvalidRequest,
    NotFound,
    OllapyError,
    PromptTooLong,
    RemoteError,
    Unauthorized,
    Unsupported,
)
from ollapy.remote.failures import decoded, refusal


@pytest.mark.parametrize(
    ("status", "answer", "path", "kind", "said"),
    [
        (401, None, "models", Unauthorized, "OLLAPY_VLLM_API_KEY"),
        (404, {"detail": "Not Found"}, "embeddings", Unsupported, "no model that makes vectors"),
        (404, {"error": {"message": "Not Found"}}, "chat/completions", Unsupported, "makes text"),
        (404, {"detail": "Not Found"}, "models", NotFound, "box answers: Not Found"),
        (404, {"error": {"message": "The model `x` does not exist."}}, "embeddings", NotFound, "does not exist"),
        (400, {"message": "maximum context length is 5"}, "completions", PromptTooLong, "context length"),
        (400, {"error": "bad"}, "completions", InvalidRequest, "box answers: bad"),
        (429, "wait", "completions", Busy, "box answers: wait"),
        (500, None, "completions", RemoteError, "box answers: status 500"),
        (502, [1], "completions", RemoteError, "box answers: [1]"),
    ],
)  # fmt: skip
def test_each_status_is_an_error_of_ours(
    status: int, answer: Any, path: str, kind: type[OllapyError], said: str
) -> None:
    error = refusal("box", status, answer, path)
    assert type(error) is kind
    assert said in str(error)


def test_a_body_that_is_no_json_is_its_text() -> None:
    assert decoded(b'{"error": "x"}') == {"error": "x"}
    assert decoded(b"<html>\xff") == "<html>\N{REPLACEMENT CHARACTER}"
