"""Requests to a registry: with its credentials, and again when that may help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from ollapy.errors import NotOnRemote, RemoteError, Unauthorized
from ollapy.net.failures import Refused, shown
from ollapy.net.http import Http, Reply
from ollapy.net.retry import Patience, Retry
from ollapy.operation import Operation

from .access import Access

T = TypeVar("T")
_MAX_ERROR = 64 * 1024


class Body(Protocol):
    """What can be sent, and from its beginning again."""

    def read(self, count: int = -1, /) -> bytes: ...
    def rewind(self) -> None: ...
    def __len__(self) -> int: ...


class Requests:
    """Sends requests for one operation."""

    def __init__(self, http: Http, access: Access, operation: Operation) -> None:
        self._http = http
        self._access = access
        self._operation = operation

    def send(
        self,
        what: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        limit: int = _MAX_ERROR,
        fine: tuple[int, ...] = (200, 201, 202, 204),
        patience: Patience | None = None,
    ) -> Reply:
        """The reply, of a status that is `fine`. `what` begins the sentence of any other."""

        def once() -> Reply:
            reply = self._once(method, url, headers or {}, body, limit)
            if reply.status not in fine:
                raise _refusal(what, reply)
            return reply

        return self.patiently(once, patience)

    def patiently(self, act: Callable[[], T], patience: Patience | None = None) -> T:
        """Do it until it works or more tries are no use."""
        retry = Retry(patience)
        while True:
            self._operation.check()
            try:
                return act()
            except RemoteError as exc:
                pause = retry.after(exc)
                if pause is None:
                    raise
                self._operation.wait(pause)

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Body | None,
        limit: int,
    ) -> Reply:
        challenge, is_ours = None, self._access.is_for(url)
        while True:
            if body is not None and not isinstance(body, bytes):
                body.rewind()
            # what a registry leads to elsewhere neither gets nor asks for its credentials
            allowed = self._access.headers(challenge) if is_ours else {}
            reply = self._http.fetch(
                method,
                url,
                headers={**headers, **allowed},
                body=body,
                limit=limit,
                came_from=self._access.origin,
            )
            given = reply.headers.get("www-authenticate")
            if reply.status != 401 or challenge or given is None or not is_ours:
                return reply
            challenge = given


def _refusal(what: str, reply: Reply) -> RemoteError:
    if reply.status in (401, 403):
        return Unauthorized("unauthorized: access denied")
    if reply.status == 404:
        return NotOnRemote(f"{what}: file does not exist")
    text = shown(reply.body)
    again = reply.headers.get("retry-after")
    return Refused(f"{what}: {reply.status}: {text}", reply.status, again)
