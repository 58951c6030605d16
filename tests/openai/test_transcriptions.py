"""Transcriptions by OpenAI's client, of a model whose projector hears, and what is refused."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest
from starlette.requests import Request

from ollapy.api.openai_audio import TranscriptionRequest
from ollapy.daemon.gates import form
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_hearing
from tests.support.sounds import wav

PATH = "/v1/audio/transcriptions"
# it would go on to the end of its context
SHORT = {"num_ctx": "400"}


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("transcriptions")
    add_hearing(folder / "models", "ear")
    with running_daemon(folder) as daemon:
        yield daemon


@pytest.fixture
def ear(hearing: Daemon) -> Iterator[openai.OpenAI]:
    base = f"http://{hearing.address}/v1"
    with openai.OpenAI(base_url=base, api_key="none", max_retries=0) as client:
        yield client


def heard(ear: openai.OpenAI, *pitches: float, **more: Any) -> Any:
    file = ("a.wav", wav(*pitches))
    create: Any = ear.audio.transcriptions.create
    return create(model="ear", file=file, extra_body=SHORT, **more)


def test_what_is_heard_decides_the_text(ear: openai.OpenAI) -> None:
    one, same, other = (heard(ear, *p) for p in ((440, 880), (440, 880), (3000,)))

    assert one.text == same.text != other.text
    assert one.text == one.text.strip() != ""
    assert one.usage.type == "tokens"
    assert one.usage.input_tokens > 250, "a sound's tokens count"
    assert one.usage.total_tokens == one.usage.input_tokens + one.usage.output_tokens


def test_as_plain_text(ear: openai.OpenAI, hearing: Daemon) -> None:
    assert heard(ear, 440, response_format="text") == heard(ear, 440).text
    data = {"model": "ear", "response_format": "text", **SHORT}
    told = hearing.http.post(PATH, data=data, files={"file": wav(440)})
    assert told.headers["content-type"] == "text/plain; charset=utf-8"


def test_as_events(ear: openai.OpenAI) -> None:
    *deltas, done = heard(ear, 440, stream=True)

    assert {delta.type for delta in deltas} == {"transcript.text.delta"}
    assert done.type == "transcript.text.done"
    assert "".join(delta.delta for delta in deltas).rstrip() == done.text
    assert done.text == heard(ear, 440).text
    assert done.usage.output_tokens > 0


def test_what_helps_is_told_to_the_model(ear: openai.OpenAI) -> None:
    plain = heard(ear, 440).usage.input_tokens
    helped = heard(ear, 440, language="en", prompt="A talk.", temperature=0.0)

    assert helped.usage.input_tokens > plain + 10


def test_nothing_is_written_to_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a recording that is longer than what forms keep in memory elsewhere."""
    long = wav(*[440.0] * 140)
    assert len(long) > 2 << 20
    asked = httpx.Request("POST", "http://x", data={"model": "ear"}, files={"file": long})  # fmt: skip
    pieces = [asked.read()]

    async def receive() -> Any:
        return {"type": "http.request", "body": pieces.pop(), "more_body": False}

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a file is made")

    settings = SimpleNamespace(body_timeout=30.0)
    app = SimpleNamespace(state=SimpleNamespace(settings=settings))
    scope = {"type": "http", "path": PATH, "app": app, "headers": [(k.lower(), v) for k, v in asked.headers.raw]}  # fmt: skip
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    body = asyncio.run(form.read(Request(scope, receive), TranscriptionRequest))

    assert (body.model, body.file) == ("ear", long)


FILE = {"file": wav(440)}
EAR = {"model": "ear"}


@pytest.mark.parametrize(
    ("data", "files", "sentence"),
    [
        ({}, FILE, "model is required"),
        ({"model": "nope"}, FILE, "model 'nope' not found"),
        ({"model": "tiny"}, FILE, '"tiny" does not support sounds'),
        (EAR, {"other": b"x"}, "file is required"),
        (EAR, {"file": b""}, "file is required, and must not be empty"),
        (EAR, {"file": b"words"}, "sounds WAV, MP3 or FLAC"),
        (EAR, [("file", b"1"), ("file", b"2")], "parse multipart form: Too many files"),
        ({**EAR, "response_format": "srt"}, FILE, '"srt" is not supported, only'),
        ({**EAR, "temperature": "hot"}, FILE, "at `$.temperature`"),
        ({**EAR, "temperature": "2"}, FILE, "temperature must be between 0 and 1"),
        ({f"field{i}": "x" for i in range(101)}, FILE, "Too many fields"),
        ({"model": "x" * (2 << 20)}, FILE, "Part exceeded maximum size"),
    ],
)
def test_what_is_refused(
    hearing: Daemon, data: dict[str, str], files: Any, sentence: str
) -> None:
    answer = hearing.http.post(PATH, data=data, files=files)

    assert answer.status_code in (400, 404), answer.text
    assert sentence in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"x"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x"),
    ],
)
def test_a_body_that_is_no_form(hearing: Daemon, kind: str, content: bytes) -> None:
    headers = {"Content-Type": kind}
    answer = hearing.http.post(PATH, content=content, headers=headers)

    assert answer.status_code == 400, answer.text
    assert "failed to parse multipart form" in answer.json()["error"]["message"]
    assert "python_multipart" not in hearing.log.read_text()


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_form_beyond_any_use(hearing: Daemon, is_announced: bool) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    pieces = [head, *[bytes(1 << 20)] * 26]
    content = b"".join(pieces) if is_announced else iter(pieces)
    answer = hearing.http.post(PATH, content=content, headers=kind)

    assert answer.status_code == 413


def test_fields_that_mean_nothing_are_in_the_log(hearing: Daemon) -> None:
    data = {"model": "nope", "timestamp_granularities[]": "word"}
    hearing.http.post(PATH, data=data, files=FILE)

    told = f"fields ignored path={PATH} names=timestamp_granularities[]"
    assert told in hearing.log.read_text()
