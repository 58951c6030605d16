"""Client: the daemon's HTTP API as Python calls. Synchronous; used by the command line."""

from __future__ import annotations

from collections.abc import Iterator
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
    ModelRequest,
    ModelSummary,
    PsResponse,
    RunningModel,
    ShowResponse,
    TagsResponse,
    VersionResponse,
)
from ollapy.errors import DaemonUnreachable, ModelNotFound, OllapyError
from ollapy.http import httpx
from ollapy.settings import Address

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class Client:
    """A connection to the daemon at an address. A context manager.

    Every call raises DaemonUnreachable when nobody answers, ModelNotFound for a 404, and OllapyError
    with the daemon's own sentence for any other refusal.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        # An answer takes as long as it takes, and loopback never goes through a proxy.
        self._http = httpx.Client(
            base_url=address.url,
            timeout=httpx.Timeout(None, connect=5.0),
            trust_env=False,
        )

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
        """What answers at the address."""
        return self._call("GET", "/api/version", VersionResponse)

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

    def generate(self, request: GenerateRequest) -> Iterator[GenerateResponse]:
        """The records of an answer as they come; closing the iterator stops the model."""
        return self._stream("/api/generate", request, GenerateResponse)

    def chat(self, request: ChatRequest) -> Iterator[ChatResponse]:
        """The records of an answer as they come; closing the iterator stops the model."""
        return self._stream("/api/chat", request, ChatResponse)

    def _send(self, method: str, path: str, body: object = None) -> bytes:
        with self._reached():
            response = self._http.request(
                method, path, content=None if body is None else _encode(body)
            )
        _check(response)
        return response.content

    def _call(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        return _decode(self._send(method, path, body), kind)

    def _stream(self, path: str, body: object, kind: type[T]) -> Iterator[T]:
        with (
            self._reached(),
            self._http.stream("POST", path, content=_encode(body)) as response,
        ):
            if response.is_error:
                response.read()
                _check(response)
            for line in response.iter_lines():
                if line.startswith('{"error"'):
                    raise OllapyError(_decode(line.encode(), dict[str, Any])["error"])
                yield _decode(line.encode(), kind)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            raise DaemonUnreachable(
                f"could not connect to ollapy at {self._address}, run 'ollapy serve' to start it"
            ) from exc
        except httpx.TransportError as exc:
            raise DaemonUnreachable(
                f"lost the connection to ollapy at {self._address}, it may have ended"
            ) from exc


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as exc:
        raise OllapyError(
            f"the server's answer is not one ollapy understands: {exc}"
        ) from exc


def _check(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        text = str(msgspec.json.decode(response.content, type=dict[str, Any])["error"])
    except (msgspec.DecodeError, KeyError):
        text = f"{response.status_code} {response.text[:200]}"
    raise (ModelNotFound if response.status_code == 404 else OllapyError)(text)
