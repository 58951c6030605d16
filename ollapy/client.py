"""Client: the daemon's HTTP API as Python calls. Synchronous; used by the command line."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpcore  # httpx brings cookies, forms and more, half the time that `ollapy list` takes
import msgspec

from ollapy.api.ollama import (
    ChatRequest,
    ChatResponse,
    CopyRequest,
    EmbedRequest,
    EmbedResponse,
    GenerateRequest,
    GenerateResponse,
    InferenceResponse,
    ModelRequest,
    ModelSummary,
    Progress,
    PsResponse,
    RunningModel,
    ShowResponse,
    TagsResponse,
    VersionResponse,
)
from ollapy.errors import DaemonUnreachable, InvalidRequest, ModelNotFound, OllapyError
from ollapy.settings import Address

T = TypeVar("T")
R = TypeVar("R", bound=InferenceResponse | Progress)
_PATIENCE = 3.0  # seconds that a daemon may take to say that it is one


class Client:
    """A connection to the daemon at an address. A context manager.

    Every call raises DaemonUnreachable when nobody answers, ModelNotFound for a 404, and OllapyError
    with the daemon's own sentence for any other refusal.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._http = httpcore.ConnectionPool()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def version(self) -> VersionResponse:
        """What answers at the address; `ollapy` is empty where it is Ollama."""
        data = self._send("GET", "/api/version", seconds=_PATIENCE)
        return _decode(data, VersionResponse)

    def models(self) -> list[ModelSummary]:
        """The models in the store, newest first."""
        return self._call("GET", "/api/tags", TagsResponse).models

    def running(self) -> list[RunningModel]:
        """The models that are loaded."""
        return self._call("GET", "/api/ps", PsResponse).models

    def show(self, model: str, *, verbose: bool = False) -> ShowResponse:
        """Everything about a model."""
        return self._call(
            "POST", "/api/show", ShowResponse, ModelRequest(model, verbose=verbose)
        )

    def copy(self, source: str, destination: str) -> None:
        """Give a model a second name."""
        self._send("POST", "/api/copy", CopyRequest(source, destination))

    def delete(self, model: str) -> None:
        """Remove a model from the store."""
        self._send("DELETE", "/api/delete", ModelRequest(model))

    def unload(self, model: str) -> None:
        """Have a model leave memory."""
        self._send("POST", "/api/generate", GenerateRequest(model, keep_alive=0))

    def shutdown(self) -> None:
        """Have the daemon end."""
        self._send("POST", "/api/shutdown")

    def embed(self, request: EmbedRequest) -> EmbedResponse:
        """Vectors for texts."""
        return self._call("POST", "/api/embed", EmbedResponse, request)

    def generate(
        self, request: GenerateRequest
    ) -> Generator[GenerateResponse, None, None]:
        """The records of an answer as they come; closing the iterator stops the model."""
        return self._stream("/api/generate", request, GenerateResponse)

    def chat(self, request: ChatRequest) -> Generator[ChatResponse, None, None]:
        """The records of an answer as they come; closing the iterator stops the model."""
        return self._stream("/api/chat", request, ChatResponse)

    def operation(
        self, path: str, request: object
    ) -> Generator[Progress, None, None]:
        """What a pull, push or the like reports until it has succeeded; closing the iterator cancels it."""
        return self._stream(path, request, Progress)

    def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        seconds: float | None = None,
    ) -> bytes:
        with self._open(method, path, body, seconds=seconds) as response:
            return response.read()

    def _call(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        return _decode(self._send(method, path, body), kind)

    def _stream(
        self, path: str, body: object, kind: type[R]
    ) -> Generator[R, None, None]:
        is_done = False
        with self._open("POST", path, body) as response:
            for line in _lines(response.iter_stream()):
                if line.startswith(b'{"error"'):
                    raise OllapyError(_decode(line, dict[str, Any])["error"])
                record = _decode(line, kind)
                is_done = record.done
                yield record
        if not is_done:
            raise OllapyError("the answer ended before its last record")

    @contextmanager
    def _open(
        self, method: str, path: str, body: object, *, seconds: float | None = None
    ) -> Iterator[httpcore.Response]:
        """A response with no error status; `seconds` are for each read, None waits as long as it takes."""
        content = None if body is None else _encode(body)
        timeout = {"connect": _PATIENCE, "read": seconds}
        with (
            self._reached(),
            self._http.stream(
                method,
                self._url(path),
                headers=self._headers,
                content=content,
                extensions={"timeout": timeout},
            ) as response,
        ):
            self._check(response)
            yield response

    def _url(self, path: str) -> httpcore.URL:
        address = self.address
        return httpcore.URL(
            scheme=address.scheme, host=address.target, port=address.port, target=path
        )

    @property
    def _headers(self) -> list[tuple[str, str]]:
        host = self.address.url.partition("//")[2]
        return [("Host", host), ("Content-Type", "application/json")]

    def _check(self, response: httpcore.Response) -> None:
        """Raise what an error status means."""
        if response.status < 400:
            return
        try:
            body = msgspec.json.decode(response.read(), type=dict[str, Any])
            sentence = str(body["error"])
        except (msgspec.DecodeError, KeyError):
            if response.status == 403:  # the gate's, which says nothing to a browser
                raise OllapyError(
                    f"ollapy at {self.address} answers only to this machine's own names and private addresses: "
                    "set OLLAPY_HOST to one of those"
                ) from None
            reason = response.extensions.get("reason_phrase", b"").decode("latin-1")
            raise OllapyError(
                f"{self.address} answers '{response.status} {reason}', which ollapy would not"
            ) from None
        raise (ModelNotFound if response.status == 404 else OllapyError)(sentence)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (httpcore.ConnectError, httpcore.ConnectTimeout, UnicodeError) as exc:
            raise DaemonUnreachable(self._unreachable(exc)) from exc
        except httpcore.TimeoutException as exc:
            raise OllapyError(
                f"{self.address} is taken by a program that does not answer: stop it, "
                "or set OLLAPY_HOST to another address such as 127.0.0.1:11435"
            ) from exc
        except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
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


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as exc:
        raise OllapyError(
            f"the server's answer is not one ollapy understands: {exc}"
        ) from exc
