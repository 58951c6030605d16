"""The edges of HTTP: what is too large, too slow, too deep or says two things is refused, and harms nobody."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator

import psutil
import pytest
import zstandard

from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.raw_http import connected, exchange, status, until_closed
from tests.support.waiting import eventually

HI = {"model": "tiny", "prompt": "hi", "stream": False, "options": {"num_predict": 1}}
HEAD = b"POST /api/show HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
BODY = b'{"model": "tiny"}'


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with little patience and few connections."""
    folder = tmp_path_factory.mktemp("limits")
    add_endless(folder / "models")
    with running_daemon(
        folder,
        HEADER_TIMEOUT="0.3s",
        BODY_TIMEOUT="0.3s",
        READER_TIMEOUT="0.3s",
        MAX_CONNECTIONS="12",
    ) as daemon:
        yield daemon


@pytest.fixture(autouse=True)
def own_is_none_the_worse(own: Daemon) -> Iterator[None]:
    """It answers right after, with nothing that belongs to another answer, and no bug has shown."""
    yield
    assert own.http.get("/api/version").status_code == 200
    assert "Traceback" not in own.log.read_text()


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", {200}, id="B007"),
        pytest.param(
            b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            {403, 404},
            id="B008",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", {400}, id="no host"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
            {400},
            id="two hosts",
        ),
        pytest.param(
            b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            {400, 414},
            id="B004",
        ),
        pytest.param(
            b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            {414},
            id="B004 near",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
            + b"x" * 10_000_000
            + b"\r\n\r\n",
            {400, 431},
            id="B005 long",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 33_000 + b"\r\n\r\n",
            {431},
            id="B005 near",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
            {400, 431},
            id="B005 many",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 100 + b"\r\n",
            {431},
            id="B005 many near",
        ),
        pytest.param(
            HEAD + b"Content-Length: 17\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            {400},
            id="B010",
        ),
        pytest.param(
            HEAD + b"Content-Length: 17\r\nContent-Length: 5\r\n\r\n" + BODY,
            {400},
            id="B011 two",
        ),
        *(
            pytest.param(
                HEAD + b"Content-Length: " + length + b"\r\n\r\n" + BODY,
                {400, 413},
                id=f"B011 {length[:9].decode()}",
            )
            for length in (b"-1", b"1e3", b"1" + b"0" * 20, b"+5", b"0x10", b"9" * 5000)
        ),
        pytest.param(
            HEAD + b"Transfer-Encoding: gzip\r\n\r\n", {400, 501}, id="B013 gzip"
        ),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            {400, 501},
            id="B013 twice",
        ),
        pytest.param(
            b"GET /%1b]0;pwned%07 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            {404},
            id="B020 escape",
        ),
        pytest.param(
            b"GET /%0d%0aX:%20y HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            {404},
            id="B020 line",
        ),
        pytest.param(
            b"GET /api/tags HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nRange: bytes="
            + b",".join([b"0-1"] * 5_000)
            + b"\r\n\r\n",
            {200},
            id="B022",
        ),
        pytest.param(
            b"GET /api/tags HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 17\r\n\r\n"
            + BODY,
            {200},
            id="B023 body of a GET",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n",
            {200},
            id="T17",
        ),
        pytest.param(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400, 0}, id="tls"
        ),
    ],
)
def test_heads(own: Daemon, head: bytes, statuses: set[int]) -> None:
    answer = exchange(own, head)

    assert status(answer) in statuses, answer[:200]
    assert b"\r\nX: y\r\n" not in answer


def test_heads_that_just_fit(own: Daemon) -> None:
    """One below each limit."""
    path = b"/?" + b"x" * 8_000
    fields = b"X: y\r\n" * 97 + b"Y: " + b"y" * 31_000 + b"\r\n"
    request = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

    assert status(exchange(own, request + fields + b"\r\n")) == 200


@pytest.mark.parametrize(
    "part",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: local"],
    ids=["none", "line", "field"],
)
def test_a_head_that_does_not_come(own: Daemon, part: bytes) -> None:
    """B016"""
    assert exchange(own, part) == b""


def test_a_second_head_that_comes_byte_by_byte(own: Daemon) -> None:
    with connected(own) as connection:
        connection.sendall(b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status(connection.recv(65536)) == 200
        try:
            for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.01)
        except (BrokenPipeError, ConnectionResetError):
            return
    pytest.fail("the connection stayed open")


@pytest.mark.parametrize("path", [b"/api/show", b"/v1/chat/completions"])
def test_a_body_that_does_not_come(own: Daemon, path: bytes) -> None:
    """B017"""
    head = (
        b"POST "
        + path
        + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    )
    answer = exchange(own, head)

    assert status(answer) == 408
    assert b"did not come in time" in answer


def test_a_body_that_comes_byte_by_byte(own: Daemon) -> None:
    """Each in time, all of them never."""
    with connected(own) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        try:
            for _ in range(1000):
                connection.sendall(b" ")
                time.sleep(0.01)
        except (BrokenPipeError, ConnectionResetError):
            return
        assert status(until_closed(connection)) == 408


def test_a_blob_that_does_not_come(own: Daemon) -> None:
    head = (
        b"POST /api/blobs/sha256:"
        + b"0" * 64
        + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx"
    )

    assert status(exchange(own, head)) == 408


def test_an_answer_that_is_not_read(own: Daemon) -> None:
    """The work for it ends."""
    options = {"num_predict": 10**6}
    given = {"model": "endless", "prompt": "x", "logprobs": True, "top_logprobs": 20}
    body = json.dumps({**given, "options": options}).encode()
    request = HEAD.replace(b"show", b"generate")
    request += b"Content-Length: %d\r\n\r\n" % len(body)
    with connected(own) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.sendall(request + body)
        eventually(
            lambda: "did not read its answer in time" in own.log.read_text(),
            "the daemon waited for a client that reads nothing",
            within=30,
        )


def test_more_connections_than_there_may_be(own: Daemon) -> None:
    process = psutil.Process(own.process.pid)
    own.http.get("/api/version")
    with connected(own) as one:
        others = [connected(own) for _ in range(11)]
        for other in others:
            last = other.__enter__()
            last.settimeout(10)
        answer = until_closed(last)
        for other in others:
            other.__exit__(None, None, None)
        del one

    assert status(answer) == 503
    assert b"retry-after" in answer.lower()
    eventually(lambda: len(process.net_connections()) < 5, "connections were left open")


def test_pipelined_requests_are_answered_in_their_order(own: Daemon) -> None:
    """B019"""
    body = json.dumps(HI).encode()
    slow = (
        b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    )
    quick = b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = exchange(own, slow % len(body) + body + quick + last)

    assert answer.count(b"HTTP/1.1 200") == 3
    places = [answer.index(text) for text in (b'"done"', b'"ollapy":"', b"Ollama is")]
    assert places == sorted(places)


def test_bodies_that_are_coded(own: Daemon) -> None:
    """B014"""
    plain = json.dumps(HI).encode()
    for name, coded in (
        ("gzip", gzip.compress(plain)),
        ("GZIP", gzip.compress(plain)),
        ("zstd", zstandard.compress(plain)),
        ("identity", plain),
    ):
        response = own.http.post(
            "/api/generate", content=coded, headers={"Content-Encoding": name}
        )
        assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        ("br", b"x", 415),
        ("deflate", b"x", 415),
        ("gzip, gzip", b"x", 415),
        ("gzip", b"no gzip", 400),
        ("gzip", gzip.compress(BODY)[:-4], 400),
        ("gzip", gzip.compress(BODY) + b"more", 400),
        ("zstd", b"no zstd", 400),
        ("zstd", zstandard.compress(BODY)[:-4], 400),
        ("zstd", b"", 400),
        ("gzip", gzip.compress(bytes(70 << 20)), 413),
        ("zstd", zstandard.compress(bytes(70 << 20)), 413),
        ("gzip", gzip.compress(b'{"model": "nope", "prompt": "hi"}'), 404),
    ],
    ids=lambda value: str(value)[:12],
)
def test_codings(own: Daemon, encoding: str, body: bytes, expected: int) -> None:
    """B014: never more is decoded than a body may have."""
    response = own.http.post(
        "/api/generate", content=body, headers={"Content-Encoding": encoding}
    )

    assert response.status_code == expected
    assert response.json()["error"]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        pytest.param(b'{"a":' * 5_000, "nested", id="objects"),
        pytest.param(b"[" * 100_000, "nested", id="lists"),
        pytest.param(
            b'{"model": "tiny", "x": ' + b"[" * 64 + b"]" * 64 + b"}", "nested", id="65"
        ),
        pytest.param(
            b'{"x": [' + b"[]," * 3_000_000 + b"[]]}", "objects and lists", id="many"
        ),
        pytest.param(
            b'{"x": {' + b'"":1,' * 200_001 + b'"":1}}', "200000 fields", id="fields"
        ),
        pytest.param(
            b'{"x": [' + b"1," * 1_000_001 + b"1]}", "1000000 values", id="values"
        ),
        pytest.param(
            b'{"x": {' + b'"a":"b",' * 400_001 + b'"":1}}',
            "400000 strings",
            id="strings",
        ),
    ],
)
def test_json_that_is_deep_or_has_many_parts(
    own: Daemon, body: bytes, complaint: str
) -> None:
    """B056"""
    response = own.post("/api/show", model="tiny")
    assert response.status_code == 200
    response = own.http.post("/api/generate", content=body)

    assert response.status_code == 400
    assert complaint in response.json()["error"]


def test_json_that_is_just_not_too_deep(own: Daemon) -> None:
    """Brackets and quotes in a text are text, and 63 lists in an object are 64 levels."""
    deep = b'{"model": "tiny", "x": ' + b"[" * 63 + b"]" * 63 + b"}"
    texts = json.dumps({**HI, "prompt": 'say "[{' * 50, "x": '\\"[' * 90}).encode()

    assert own.http.post("/api/show", content=deep).status_code == 200
    assert own.http.post("/api/generate", content=texts).status_code == 200
    much = json.dumps({"model": "tiny", "x": '[{"a": 1, "b": 2}]' * 250_000}).encode()
    assert own.http.post("/api/show", content=much).status_code == 200


def test_an_order_has_no_images(own: Daemon) -> None:
    """B023"""
    body = b'{"source": "' + b"x" * (9 << 20) + b'"}'

    assert own.http.post("/api/copy", content=body).status_code == 413


def test_a_large_body_is_refused_before_it_is_read(own: Daemon) -> None:
    head = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n"

    assert status(exchange(own, head)) == 413


@pytest.mark.parametrize("field", ["prompt", "model", "stop"])
def test_nul(own: Daemon, field: str) -> None:
    """B058: a character like others, but in a name."""
    body = {
        "prompt": {**HI, "prompt": "a\0b"},
        "model": {**HI, "model": "a\0b"},
        "stop": {**HI, "options": {"num_predict": 1, "stop": ["a\0b"]}},
    }[field]

    found = own.post("/api/generate", **body).status_code
    assert found == (400 if field == "model" else 200)


def test_keys_that_come_twice_or_are_unknown(own: Daemon) -> None:
    """B059: the last one counts; a key of other case is another key."""
    twice = b'{"model": "nope", "model": "tiny", "unknown": 1, "MODEL": "nope"}'

    assert own.http.post("/api/show", content=twice).status_code == 200


def test_a_name_that_is_too_long_for_the_disk(own: Daemon) -> None:
    """Right as a name, and no model's here."""
    name = "h" * 350 + "/n/x"
    copied = own.post("/api/copy", source="tiny", destination=name)

    assert own.post("/api/show", model=name).status_code == 404
    assert copied.json()["error"] == (
        "could not write to the model store: File name too long"
    )
