"""Server: HTTP to an OpenAI-compatible server. What goes wrong is an OllapyError that names the host."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from ollapy.errors import InvalidRequest, RemoteError
from ollapy.net.addresses import is_loopback

from .failures import decoded, refusal

_CONNECT = 5.0  # seconds
_MAX_ANSWER = 256 << 20
_MAX_EVENT = 16 << 20


class Server:
    """One server at `url`, with or without `/v1`. A `silence` of so many seconds ends a request, 0 or infinite never.

    A request ends there when its generator is closed here.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], silence: float, called: str = ""
    ) -> None:
        parts = urlsplit(url)
        self.host = called or parts.netloc
        self._silence = silence if 0 < silence < math.inf else None
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/").removesuffix("/v1") + "/v1/",
            headers=headers,
            timeout=httpx.Timeout(self._silence, connect=_CONNECT, pool=None),
            limits=httpx.Limits(max_connections=None),
            trust_env=not is_loopback(parts.hostname or ""),  # a proxy is none for it
        )

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.aclose()

    async def get(self, path: str) -> bytes:
        """A whole answer, soon or not at all."""
        async with self._open("GET", path, None, _CONNECT) as response:
            return await self._read(response)

    async def post(self, path: str, body: dict[str, Any]) -> bytes:
        """The whole answer to a JSON body."""
        async with self._open("POST", path, body, self._silence) as response:
            return await self._read(response)

    async def stream(
        self, path: str, body: dict[str, Any]
    ) -> AsyncGenerator[bytes, None]:
        """The data of an answer's events, up to `[DONE]`; RemoteError where it ends before."""
        async with (
            self._open("POST", path, body, self._silence) as response,
            aclosing(self._lines(response)) as lines,
        ):
            async for line in lines:
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                if line.startswith(b"data:"):
                    yield data
        raise RemoteError(
            f"{self.host} closed the connection in the middle of an answer"
        )

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, body: dict[str, Any] | None, silence: float | None
    ) -> AsyncGenerator[httpx.Response, None]:
        with self._told():
            async with self._client.stream(
                method,
                path,
                content=None if body is None else _encoded(body),
                headers={"Content-Type": "application/json"},
                timeout=httpx.Timeout(silence, connect=_CONNECT, pool=None),
            ) as response:
                if not response.is_success:
                    answer = decoded(await self._read(response))
                    raise refusal(self.host, response.status_code, answer, path)
                yield response

    async def _read(self, response: httpx.Response) -> bytes:
        found = bytearray()
        async for data in response.aiter_bytes():
            found += data
            self._check(len(found), _MAX_ANSWER)
        return bytes(found)

    async def _lines(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        rest = b""
        async for data in response.aiter_bytes():
            *lines, rest = (rest + data).split(b"\n")
            self._check(len(rest), _MAX_EVENT)
            for line in lines:
                yield line

    def _check(self, length: int, most: int) -> None:
        if length > most:
            raise RemoteError(f"{self.host} gave an answer of more than {most} bytes")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Failures of the network as sentences."""
        try:
            yield
        except httpx.ConnectTimeout as exc:
            raise RemoteError(
                f"{self.host} cannot be reached, see OLLAPY_VLLM_URL"
            ) from exc
        except httpx.TimeoutException as exc:
            raise RemoteError(
                f"{self.host} did not answer in time, see OLLAPY_LOAD_TIMEOUT"
            ) from exc
        except httpx.ConnectError as exc:
            raise RemoteError(
                f"{self.host} cannot be reached, see OLLAPY_VLLM_URL"
            ) from exc
        except httpx.TransportError as exc:
            raise RemoteError(f"{self.host} closed the connection") from exc


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (OverflowError, RecursionError, UnicodeEncodeError) as exc:
        raise InvalidRequest(
            "the request holds what JSON cannot say: a number too large, or half a character"
        ) from exc
