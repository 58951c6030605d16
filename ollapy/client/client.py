"""Client: one call for each thing the daemon can do."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from types import TracebackType
from typing import Any, Self, TypeVar

from msgspec.structs import replace

from ollapy.api.care import (
    PruneRequest,
    PruneResponse,
    UsageResponse,
    VerifyProgress,
    VerifyRequest,
)
from ollapy.api.neighbours import NeighbourModel, NeighboursResponse
from ollapy.api.ollama import (
    ChatRequest,
    ChatResponse,
    CopyRequest,
    CreateRequest,
    EmbedRequest,
    EmbedResponse,
    GenerateRequest,
    GenerateResponse,
    InferenceResponse,
    ModelRequest,
    Progress,
    PsResponse,
    PullRequest,
    RunningModel,
    ShowResponse,
    TagsResponse,
    VersionResponse,
)
from ollapy.api.snapshot import Snapshot
from ollapy.api.status import RequestEntry, RequestsResponse
from ollapy.api.text import TokenizeRequest, TokenizeResponse
from ollapy.api.tuning import TuneRequest, TuneResponse
from ollapy.errors import OllapyError
from ollapy.names import Digest
from ollapy.settings import Address

from .connection import PATIENCE, Connection, decode

T = TypeVar("T")
Q = TypeVar("Q", GenerateRequest, ChatRequest, EmbedRequest)
R = TypeVar("R", bound=InferenceResponse | Progress)


class Client:
    """A connection to the daemon at an address, with an API key where it wants one. A context manager.

    Every call raises DaemonUnreachable when nobody answers, ModelNotFound for a 404, and OllapyError
    with the daemon's own sentence for any other refusal.
    """

    def __init__(self, address: Address, key: str = "") -> None:
        self.address = address
        self._key = key
        self._connection = Connection(address, key)
        self._name = os.urandom(8).hex()  # by which its questions are found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def beside(self) -> Client:
        """Another connection, for another thread, to see what becomes of this one's questions."""
        other = Client(self.address, self._key)
        other._name = self._name
        return other

    def version(self) -> VersionResponse:
        """What answers at the address; `ollapy` is empty where it is Ollama."""
        data = self._connection.send("GET", "/api/version", seconds=PATIENCE)
        return decode(data, VersionResponse)

    def tags(self) -> TagsResponse:
        """The models in the store, newest first, and those that are damaged."""
        return self._call("GET", "/api/tags", TagsResponse)

    def neighbours(self) -> list[NeighbourModel]:
        """The models that other programs have on the daemon's machine, newest first."""
        return self._call("GET", "/api/neighbours", NeighboursResponse).models

    def running(self) -> list[RunningModel]:
        """The models that are loaded."""
        return self.loaded().models

    def loaded(self) -> PsResponse:
        """The models that are loaded, and what is to be known of the devices."""
        return self._call("GET", "/api/ps", PsResponse)

    def snapshot(self) -> Snapshot:
        """What the daemon does at this moment."""
        return self._call("GET", "/api/snapshot", Snapshot)

    def requests(self) -> list[RequestEntry]:
        """The requests under way and the last that have ended, newest first."""
        return self._call("GET", "/api/requests", RequestsResponse).requests

    def under_way(self) -> RequestEntry | None:
        """The question of this client that is under way, if one is."""
        path = f"/api/requests?client={self._name}"
        found = self._call("GET", path, RequestsResponse).requests
        # a daemon of before an update tells of everybody's
        own = (entry for entry in found if entry.client == self._name)
        return next((entry for entry in own if entry.outcome == "running"), None)

    def show(self, model: str, *, verbose: bool = False) -> ShowResponse:
        """Everything about a model."""
        return self._call(
            "POST", "/api/show", ShowResponse, ModelRequest(model, verbose=verbose)
        )

    def copy(self, source: str, destination: str) -> None:
        """Give a model a second name."""
        self._connection.send("POST", "/api/copy", CopyRequest(source, destination))

    def delete(self, model: str) -> None:
        """Remove a model from the store."""
        self._connection.send("DELETE", "/api/delete", ModelRequest(model))

    def unload(self, model: str) -> None:
        """Have a model leave memory."""
        self._connection.send(
            "POST", "/api/generate", GenerateRequest(model, keep_alive=0)
        )

    def shutdown(self) -> None:
        """Have the daemon end."""
        self._connection.send("POST", "/api/shutdown")

    def tokenize(self, model: str, text: str) -> list[int]:
        """The tokens of a text, without those that a model puts around one."""
        request = TokenizeRequest(model, text, add_special=False)
        return self._call("POST", "/api/tokenize", TokenizeResponse, request).tokens

    def tune(self, model: str) -> TuneResponse:
        """Find out how a model is best computed, which takes up to a minute."""
        return self._call("POST", "/api/tune", TuneResponse, TuneRequest(model))

    def embed(self, request: EmbedRequest) -> EmbedResponse:
        """Vectors for texts."""
        return self._call("POST", "/api/embed", EmbedResponse, self._named(request))

    def generate(
        self, request: GenerateRequest
    ) -> Generator[GenerateResponse, None, None]:
        """The records of an answer as they come; closing the iterator stops the model."""
        return self._stream("/api/generate", self._named(request), GenerateResponse)

    def chat(self, request: ChatRequest) -> Generator[ChatResponse, None, None]:
        """The records of an answer as they come; closing the iterator stops the model."""
        return self._stream("/api/chat", self._named(request), ChatResponse)

    def pull(self, request: PullRequest) -> Generator[Progress, None, None]:
        """Bring a model here."""
        return self.operation("/api/pull", request)

    def push(self, request: PullRequest) -> Generator[Progress, None, None]:
        """Bring a model to the registry that its name says."""
        return self.operation("/api/push", request)

    def create(self, request: CreateRequest) -> Generator[Progress, None, None]:
        """Make a model."""
        return self.operation("/api/create", request)

    def has_blob(self, digest: Digest) -> bool:
        """Whether the daemon's store has these bytes."""
        return self._connection.finds(f"/api/blobs/{digest}")

    def upload(self, digest: Digest, chunks: Iterator[bytes], size: int) -> None:
        """Bring bytes to the daemon's store, in pieces as they come."""
        self._connection.upload(f"/api/blobs/{digest}", chunks, size)

    def prune(self, request: PruneRequest) -> PruneResponse:
        """Delete from the store what nobody needs."""
        return self._call("POST", "/api/prune", PruneResponse, request)

    def verify(self, request: VerifyRequest) -> Generator[VerifyProgress, None, None]:
        """Read what is in the store, and say what is damaged; closing the iterator cancels it."""
        return self._stream("/api/verify", request, VerifyProgress)

    def usage(self) -> UsageResponse:
        """What takes how much of the disk."""
        return self._call("GET", "/api/du", UsageResponse)

    def operation(self, path: str, request: object) -> Generator[Progress, None, None]:
        """What a pull, push or the like reports until it has succeeded; closing the iterator cancels it."""
        return self._stream(path, request, Progress)

    def _named(self, request: Q) -> Q:
        return replace(request, client=self._name)

    def _call(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        return decode(self._connection.send(method, path, body), kind)

    def _stream(
        self, path: str, body: object, kind: type[R]
    ) -> Generator[R, None, None]:
        is_done = False
        with closing(self._connection.lines(path, body)) as lines:
            for line in lines:
                if line.startswith(b'{"error"'):
                    raise OllapyError(decode(line, dict[str, Any])["error"])
                record = decode(line, kind)
                is_done = record.done
                yield record
        if not is_done:
            raise OllapyError("the answer ended before its last record")
