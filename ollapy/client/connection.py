"""Connection: requests to the daemon, and what becomes of them when it refuses or is not there."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import h11
import msgspec

from ollapy.decoding import from_json
from ollapy.errors import DaemonUnreachable, InvalidRequest, ModelNotFound, OllapyError
from ollapy.settings import Address

from .wire import Headers, Wire

T = TypeVar("T")
_ELSEWHERE = "stop it, or set OLLAPY_HOST to another address such as 127.0.0.1:11435"
PATIENCE = 3.0  # seconds that a daemon may take to say that it is one


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; the pieces of its body come while they are taken."""

    status: int
    reason: bytes
    pieces: Iterator[bytes]

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces)


class Connection:
    """To the daemon at an address. What is asked while another answer is read has a wire of its own."""

    def __init__(self, address: Address, key: str = "") -> None:
        self.address = address
        self._key = key
        self._free: list[Wire] = []

    def close(self) -> None:
        """Let go of it."""
        while self._free:
            self._free.pop().close()

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        seconds: float | None = None,
    ) -> bytes:
        """The body of an answer. `seconds` are for each read, None waits as long as it takes."""
        with self._open(method, path, body, seconds=seconds) as response:
            return response.read()

    def lines(self, path: str, body: object) -> Generator[bytes, None, None]:
        """The lines of an answer to a POST as they come; closing the iterator ends the work on it."""
        with self._open("POST", path, body) as response:
            yield from _lines(response.pieces)

    def finds(self, path: str) -> bool:
        """Whether there is something at the path."""
        with self._asked("HEAD", path) as response:
            response.read()
            if response.status == 404:
                return False
            self._check(response)
            return True

    def upload(self, path: str, chunks: Iterator[bytes], size: int) -> None:
        """POST a body of `size` bytes, which is never in memory as a whole."""
        with self._asked("POST", path, chunks, size=size) as response:
            self._check(response)
            response.read()

    @contextmanager
    def _open(
        self, method: str, path: str, body: object, *, seconds: float | None = None
    ) -> Iterator[Response]:
        """A response with no error status."""
        content = None if body is None else _encode(body)
        with self._asked(method, path, content, seconds=seconds) as response:
            self._check(response)
            yield response

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        content: bytes | Iterator[bytes] | None = None,
        *,
        size: int | None = None,
        seconds: float | None = None,
    ) -> Iterator[Response]:
        """A response of whatever status. `size` is the length of a content that comes in chunks."""
        length = [] if size is None else [(b"Content-Length", b"%d" % size)]
        if isinstance(content, bytes):
            length, content = (
                [(b"Content-Length", b"%d" % len(content))],
                iter([content]),
            )
        with self._wire() as wire:
            head = wire.ask(
                method,
                path,
                [*self._headers, *length],
                content or (),
                seconds=seconds,
            )
            yield Response(head.status_code, head.reason, wire.answer())

    @contextmanager
    def _wire(self) -> Iterator[Wire]:
        """One that is free; what goes wrong on it is told as the daemon's state."""
        with self._connecting():
            wire = self._idle() or Wire(self.address, seconds=PATIENCE)
        try:
            with self._reached():
                yield wire
        finally:
            if wire.is_free():
                self._free.append(wire)
            else:
                wire.close()

    def _idle(self) -> Wire | None:
        while self._free:
            wire = self._free.pop()
            if wire.is_free():
                return wire
            wire.close()
        return None

    @property
    def _headers(self) -> Headers:
        host = self.address.url.partition("//")[2].encode()
        found = [(b"Host", host), (b"Content-Type", b"application/json")]
        if self._key:
            found.append((b"Authorization", f"Bearer {self._key}".encode()))
        return found

    def _check(self, response: Response) -> None:
        """Raise what an error status means."""
        if response.status < 400:
            return
        try:
            body = from_json(response.read(), dict[str, Any])
            sentence = str(body["error"])
        except (msgspec.DecodeError, KeyError):
            if response.status == 403:  # the gate's, which says nothing to a browser
                raise OllapyError(
                    f"ollapy at {self.address} answers only to this machine's own names and private addresses: "
                    "set OLLAPY_HOST to one of those"
                ) from None
            reason = response.reason.decode("latin-1")
            raise OllapyError(
                f"another program at {self.address} answers '{response.status} {reason}': {_ELSEWHERE}"
            ) from None
        raise (ModelNotFound if response.status == 404 else OllapyError)(sentence)

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        try:
            yield
        except (OSError, UnicodeError) as exc:
            raise DaemonUnreachable(self._unreachable(exc)) from exc

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as exc:
            raise OllapyError(
                f"{self.address} is taken by a program that does not answer: {_ELSEWHERE}"
            ) from exc
        except (ConnectionError, h11.ProtocolError) as exc:
            raise DaemonUnreachable(
                f"lost the connection to ollapy at {self.address}, it may have ended"
            ) from exc

    def _unreachable(self, exc: Exception) -> str:
        if self.address.is_local:
            return f"could not connect to ollapy at {self.address}, run 'ollapy serve' to start it"
        reason = re.sub(r"^\[.*?\] ", "", str(exc))
        return f"could not connect to ollapy at {self.address}: {reason}"


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream, without their ends and wherever its chunks do."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _encode(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError as exc:
        # an argument that is not in the terminal's encoding
        raise InvalidRequest("the text of the request is not valid UTF-8") from exc


def decode(data: bytes, kind: type[T]) -> T:
    """A value of what the daemon sent; OllapyError where it is none."""
    try:
        return from_json(data, kind)
    except msgspec.DecodeError as exc:
        raise OllapyError(
            f"the server's answer is not one ollapy understands: {exc}"
        ) from exc
