"""The client's connection: what is used again, what is not, and what ends in between."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server, socket

import pytest

from ollapy.client.connection import Connection
from ollapy.errors import DaemonUnreachable, OllapyError
from ollapy.settings import Address
from tests.support.certificates import certificate
from tests.support.waiting import eventually

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def served(serve: Callable[[socket], None], times: int = 1) -> Iterator[Address]:
    """An address where so many connections are served, one after the other."""
    with create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for _ in range(times):
                with listener.accept()[0] as one:
                    serve(one)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def connected(address: Address, key: str = "") -> Iterator[Connection]:
    """A connection, closed at the end."""
    connection = Connection(address, key)
    try:
        yield connection
    finally:
        connection.close()


def head(sock: socket) -> bytes:
    """What is asked, up to the blank line; empty at the end."""
    text = b""
    while not text.endswith(b"\r\n\r\n") and (data := sock.recv(1)):
        text += data
    return text


def test_the_next_request_goes_the_same_way() -> None:
    def serve(sock: socket) -> None:
        while head(sock):
            sock.sendall(ANSWER)

    with served(serve) as address, connected(address) as connection:
        assert [connection.send("GET", "/a"), connection.finds("/b")] == [b"{}", True]


def test_a_way_that_was_closed_meanwhile_is_not_used() -> None:
    answered = threading.Event()

    def serve(sock: socket) -> None:
        head(sock)
        sock.sendall(ANSWER)
        answered.wait(10)

    with served(serve, 2) as address, connected(address) as connection:
        connection.send("GET", "/a")
        answered.set()
        (kept,) = connection._free
        eventually(lambda: not kept.is_free(), "the other side has not closed it")

        assert connection.send("GET", "/b") == b"{}"


def test_what_is_asked_beside_an_answer_has_a_way_of_its_own() -> None:
    lines = threading.Event()

    def serve(sock: socket) -> None:
        if b"/lines" in head(sock):
            sock.sendall(CHUNKED + b"2\r\na\n\r\n")
            threading.Thread(target=rest, args=(sock.dup(),)).start()
        else:
            sock.sendall(ANSWER)
            lines.set()

    def rest(sock: socket) -> None:
        lines.wait(10)
        with sock:
            sock.sendall(b"2\r\nb\n\r\n0\r\n\r\n")

    with served(serve, 2) as address, connected(address) as connection:
        answer = connection.lines("/lines", None)

        assert next(answer) == b"a"
        assert connection.send("GET", "/") == b"{}"
        assert list(answer) == [b"b"]


@pytest.mark.parametrize(
    "said", [b"", CHUNKED + b"2\r\na\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", ANSWER[:-1]]
)
def test_what_ends_too_soon_is_a_daemon_that_ended(said: bytes) -> None:
    def serve(sock: socket) -> None:
        head(sock)
        sock.sendall(said)

    with (
        served(serve) as address,
        connected(address) as connection,
        pytest.raises(DaemonUnreachable, match="lost the connection"),
    ):
        connection.send("GET", "/")


def test_a_refusal_before_all_was_sent_is_read() -> None:
    refusal = b'{"error":"too large"}'

    def serve(sock: socket) -> None:
        head(sock)
        sock.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 21\r\n\r\n" + refusal)
        sock.shutdown(1)
        while sock.recv(1 << 16):
            pass

    with (
        served(serve) as address,
        connected(address) as connection,
        pytest.raises(OllapyError, match=r"^too large$"),
    ):
        connection.upload("/", iter([b"x" * 1000] * 10), 10_000)


def test_a_key_of_any_letters_is_sent() -> None:
    heads = []

    def serve(sock: socket) -> None:
        heads.append(head(sock))
        sock.sendall(ANSWER)

    with served(serve) as address, connected(address, "schlüssel") as connection:
        connection.send("GET", "/")

    assert "Authorization: Bearer schlüssel\r\n".encode() in heads[0]


def test_https_asks_for_a_certificate_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path := certificate(tmp_path, "localhost"))

    def serve(sock: socket) -> None:
        try:
            with context.wrap_socket(sock, server_side=True) as secured:
                while head(secured):
                    secured.sendall(ANSWER)
        except ssl.SSLError:  # the client has looked at the certificate
            pass

    with served(serve, 2) as address:
        secure = Address("localhost", address.port, "https")
        with (
            connected(secure) as connection,
            pytest.raises(DaemonUnreachable, match="certificate verify failed"),
        ):
            connection.send("GET", "/")
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with connected(secure) as connection:
            assert connection.send("GET", "/") == b"{}"
