"""Http: requests to servers that are not trusted.

On the standard library's http.client, whose `readinto` fills the caller's own buffer: a gigabyte costs next to no
Python. Redirects are followed by the rules of `addresses` and `urls`; what the caller sends along, credentials
above all, goes to the URL's own origin alone, but for what is asked for.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol
from urllib.request import getproxies, proxy_bypass

from ollapy import __version__
from ollapy.errors import RemoteError

from .addresses import Trail, is_loopback, is_public, resolve
from .failures import ConnectionFailed, told_of
from .line import Line
from .urls import Url

_MAX_REDIRECTS = 5
_BLOCK = 1 << 18  # bytes of a body sent at once
_ANYWHERE = ("accept", "range")  # headers that a redirect takes along
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Readable(Protocol):
    """A body that is read as it is sent; its length is known."""

    def read(self, count: int = -1, /) -> bytes: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: until there is a connection, and without a byte on it."""

    connect: float = 10.0
    stall: float = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names are in lower case, `url` is where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Response:
    """An answer whose body is still to be read. Failures are ConnectionFailed."""

    def __init__(self, raw: http.client.HTTPResponse, url: Url) -> None:
        self.status = raw.status
        self.headers = {name.lower(): value for name, value in raw.headers.items()}
        self.url = str(url)
        self._raw = raw
        self._host = url.authority

    def readinto(self, view: memoryview) -> int:
        """Fill the buffer's beginning; 0 at the end."""
        with told_of(self._host):
            return self._raw.readinto(view)

    def read(self, count: int) -> bytes:
        """At most that much of the body."""
        with told_of(self._host):
            return self._raw.read(count)


class Http:
    """Opens a connection for each request. For several threads.

    Plain http is for hosts of this machine, or where `insecure` allows it.
    """

    def __init__(
        self,
        *,
        insecure: bool = False,
        is_public: Callable[[str], bool] = is_public,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._insecure = insecure
        self._is_public = is_public
        self._timeouts = timeouts or Timeouts()
        self._agent = f"ollapy/{__version__}"

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Readable | None = None,
        line: Line | None = None,
        came_from: str | None = None,
    ) -> Iterator[Response]:
        """The answer, of whatever status, after at most five redirects; `line` can cut it off.

        A URL that another server named may lead no further inside than that server, `came_from`.
        """
        first = here = Url.parse(url)
        trail, line = self._trail(came_from), line or Line()
        for _ in range(_MAX_REDIRECTS + 1):
            self._check_scheme(here, first)
            sent = headers or {}
            if here.origin != first.origin:
                sent = {k: v for k, v in sent.items() if k.lower() in _ANYWHERE}
            with self._ask(method, here, sent, body, trail, line) as response:
                target = response.headers.get("location")
                if response.status not in _REDIRECTS or not target or body is not None:
                    yield response
                    return
            here = here.join(target)
        raise RemoteError(f"{first.authority} redirects without end")

    def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Readable | None = None,
        limit: int,
        came_from: str | None = None,
    ) -> Reply:
        """The whole answer; its body is cut at `limit` bytes."""
        with self.open(
            method, url, headers=headers, body=body, came_from=came_from
        ) as response:
            data = _read_all(response, limit)
            return Reply(response.status, response.headers, data, response.url)

    def _trail(self, came_from: str | None) -> Trail:
        trail = Trail(self._is_public)
        if came_from is not None:
            url = Url.parse(came_from)
            with told_of(url.authority):
                self._way(url, _proxy(url), trail)
        return trail

    def _check_scheme(self, url: Url, first: Url) -> None:
        if url.scheme == "https" or self._insecure or is_loopback(url.host):
            return
        if first.scheme == "https":
            raise RemoteError(f"refused to go from https to http at {url.authority}")
        raise RemoteError(f"insecure protocol http, {url.authority} needs --insecure")

    @contextmanager
    def _ask(
        self,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        body: bytes | Readable | None,
        trail: Trail,
        line: Line,
    ) -> Iterator[Response]:
        with told_of(url.authority):
            proxy = _proxy(url)
            connection = self._connect(url, proxy, trail, line)
        with closing(connection):
            with told_of(url.authority):
                target = str(url) if proxy and url.scheme == "http" else url.target
                connection.request(
                    method, target, body, self._headers(url, headers, body)
                )
                raw = connection.getresponse()
            with closing(raw):
                yield Response(raw, url)

    def _headers(
        self, url: Url, given: Mapping[str, str], body: bytes | Readable | None
    ) -> dict[str, str]:
        length = {} if body is None else {"Content-Length": str(len(body))}
        return {
            "Host": url.authority,
            "User-Agent": self._agent,
            "Accept-Encoding": "identity",  # nothing that could grow while it is read
            **length,
            **given,
        }

    def _connect(
        self, url: Url, proxy: Url | None, trail: Trail, line: Line
    ) -> http.client.HTTPConnection:
        """A connection to an address that was looked up once and checked."""
        addresses, port = self._way(url, proxy, trail)
        sock = self._dial(addresses, port, line)
        connection = http.client.HTTPConnection(url.host, url.port, blocksize=_BLOCK)
        connection.sock = sock
        if proxy and url.scheme == "https":
            self._tunnel(sock, url, proxy)
        if url.scheme == "https":
            connection.sock = self._tls.wrap_socket(sock, server_hostname=url.host)
            line.hold(connection.sock)
        return connection

    def _way(
        self, url: Url, proxy: Url | None, trail: Trail
    ) -> tuple[Sequence[str], int]:
        """Where to connect to for a URL, which the trail allows."""
        if proxy is None:
            found = resolve(url.host, url.port)
            return trail.allowed(url.host, found), url.port
        trail.named(url.host)
        return resolve(proxy.host, proxy.port), proxy.port

    def _dial(self, addresses: Sequence[str], port: int, line: Line) -> socket.socket:
        failure: OSError | None = None
        for address in addresses:
            line.check()
            try:
                sock = socket.create_connection((address, port), self._timeouts.connect)
            except OSError as exc:
                failure = exc
            else:
                sock.settimeout(self._timeouts.stall)
                line.hold(sock)
                return sock
        raise failure or OSError("it has no address")

    def _tunnel(self, sock: socket.socket, url: Url, proxy: Url) -> None:
        """Have the proxy connect to the host; what is spoken there it cannot read."""
        where = f"{url.host}:{url.port}"
        sock.sendall(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(sock, method="CONNECT")
        answer.begin()
        if answer.status != 200:
            raise ConnectionFailed(
                f"the proxy {proxy.authority} did not connect to {url.authority}: "
                f"{answer.status}",
                passing=answer.status >= 500,
            )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def _proxy(url: Url) -> Url | None:
    """The environment's proxy for a URL; none for this machine itself."""
    found = getproxies().get(url.scheme)
    if not found or is_loopback(url.host) or proxy_bypass(url.host):
        return None
    return Url.parse(found if "://" in found else f"http://{found}")


def _read_all(response: Response, limit: int) -> bytes:
    data = bytearray()
    while len(data) < limit:
        chunk = response.read(min(limit - len(data), 1 << 16))
        if not chunk:
            break
        data += chunk
    return bytes(data)
