"""Client: the daemon's HTTP API as Python calls. Synchronous; used by the command line."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

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
    PsResponse,
    RunningModel,
    ShowResponse,
    TagsResponse,
    VersionResponse,
)
from ollapy.errors import DaemonUnreachable, InvalidRequest, ModelNotFound, OllapyError
from ollapy.http import httpx
from ollapy.settings import Address

T = TypeVar("T")
R = TypeVar("R", bound=InferenceResponse)
_PATIENCE = 3.0  # seconds that a daemon may take to say that it is one


class _Version(msgspec.Struct):
    version: str
    ollapy: str = ""


class Client:
    """A connection to the daemon at an address. A context manager.

    Every call raises DaemonUnreachable when nobody answers, ModelNotFound for a 404, and OllapyError
    with the daemon's own sentence for any other refusal.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        try:
            self._http = httpx.Client(
                base_url=address.url,
                # an answer takes as long as it takes
                timeout=httpx.Timeout(None, connect=_PATIENCE),
                trust_env=False,  # loopback never goes through a proxy
                verify=address.scheme == "https",  # certificates take 50 ms to load
            )
        except httpx.InvalidURL as exc:
            raise OllapyError(f"{address} is not an address: {exc}") from exc

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
        found = _decode(data, _Version)
        return VersionResponse(found.version, found.ollapy)

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

    def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        seconds: float | None = None,
    ) -> bytes:
        content = None if body is None else _encode(body)
        timeout = httpx.Timeout(seconds, connect=_PATIENCE)
        with self._reached():
            response = self._http.request(
                method, path, content=content, timeout=timeout
            )
        self._check(response)
        return response.content

    def _call(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        return _decode(self._send(method, path, body), kind)

    def _stream(
        self, path: str, body: object, kind: type[R]
    ) -> Generator[R, None, None]:
        is_done = False
        with (
            self._reached(),
            self._http.stream("POST", path, content=_encode(body)) as response,
        ):
            if response.is_error:
                response.read()
                self._check(response)
            for line in response.iter_lines():
                if line.startswith('{"error"'):
                    raise OllapyError(_decode(line.encode(), dict[str, Any])["error"])
                record = _decode(line.encode(), kind)
                is_done = record.done
                yield record
        if not is_done:
            raise OllapyError("the answer ended before its last record")

    def _check(self, response: httpx.Response) -> None:
        """Raise what an error status means."""
        if not response.is_error:
            return
        try:
            body = msgspec.json.decode(response.content, type=dict[str, Any])
            sentence = str(body["error"])
        except (msgspec.DecodeError, KeyError):
            status = f"{response.status_code} {response.reason_phrase}"
            raise OllapyError(
                f"{self.address} answers '{status}', which ollapy would not"
            ) from None
        raise (ModelNotFound if response.status_code == 404 else OllapyError)(sentence)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, UnicodeError) as exc:
            raise DaemonUnreachable(self._unreachable(exc)) from exc
        except httpx.TimeoutException as exc:
            raise OllapyError(
                f"{self.address} is taken by a program that does not answer: stop it, "
                "or set OLLAPY_HOST to another address such as 127.0.0.1:11435"
            ) from exc
        except httpx.TransportError as exc:
            raise DaemonUnreachable(
                f"lost the connection to ollapy at {self.address}, it may have ended"
            ) from exc

    def _unreachable(self, exc: Exception) -> str:
        if self.address.is_local:
            return f"could not connect to ollapy at {self.address}, run 'ollapy serve' to start it"
        reason = re.sub(r"^\[.*?\] ", "", str(exc))
        return f"could not connect to ollapy at {self.address}: {reason}"


def _encode(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (
        UnicodeEncodeError
    ) as exc:  # an argument that is not in the terminal's encoding
        raise InvalidRequest("the text of the request is not valid UTF-8") from exc


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as exc:
        raise OllapyError(
            f"the server's answer is not one ollapy understands: {exc}"
        ) from exc
