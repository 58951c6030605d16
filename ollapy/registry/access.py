"""Access: the Authorization header that a registry wants, got by answering its challenges."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec

from ollapy.decoding import from_json
from ollapy.errors import Unauthorized
from ollapy.names import HOST
from ollapy.net.addresses import is_loopback
from ollapy.net.failures import Refused
from ollapy.net.http import Http, Reply
from ollapy.net.urls import Url

from .challenge import Challenge
from .credentials import Credentials
from .key import Key

_DOCKER_HUB = {"docker.io": "registry-1.docker.io"}
_MAX_TOKEN = 64 * 1024
_DENIED = "unauthorized: access denied"


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class Access:
    """What one client may do on one registry. For several threads.

    `host` is the registry's, with its port; `insecure` means http. `origin` is where it is.
    """

    def __init__(
        self,
        http: Http,
        host: str,
        key: Key,
        credentials: Credentials | None = None,
        *,
        insecure: bool = False,
    ) -> None:
        self.origin = _origin(host, insecure=insecure)
        self._http = http
        self._host = host
        self._key = key
        self._credentials = credentials
        self._header = ""

    def headers(self, challenge: str | None) -> Mapping[str, str]:
        """Those for the registry itself; answers the challenge of its last refusal, if any."""
        if challenge is not None:
            self._header = self._answer(Challenge.parse(challenge))
        return {"Authorization": self._header} if self._header else {}

    def is_for(self, url: str) -> bool:
        """Whether it is the registry itself that a URL leads to."""
        return Url.parse(url).origin == Url.parse(self.origin).origin

    def _answer(self, challenge: Challenge) -> str:
        match challenge.scheme:
            case "bearer":
                return f"Bearer {self._token(challenge)}"
            case "basic" if self._credentials:
                return self._credentials.header
        raise Unauthorized(_DENIED)

    def _token(self, challenge: Challenge) -> str:
        """From the realm, to which only what it may know is sent."""
        realm = challenge.realm
        is_ours = _site(urlsplit(realm).netloc) == _site(self._host)
        if self._credentials and is_ours:
            return self._ask(realm, challenge, self._credentials.header)
        signs = urlsplit(realm).netloc == self._host
        if signs and self._host == HOST:
            return self._ask_signed(realm, challenge)
        try:
            return self._ask(realm, challenge)
        except Unauthorized:
            if not signs:
                raise
            return self._ask_signed(realm, challenge)

    def _ask(self, realm: str, challenge: Challenge, authorization: str = "") -> str:
        url = _with_query(realm, challenge.query)
        return self._get(url, authorization)

    def _ask_signed(self, realm: str, challenge: Challenge) -> str:
        nonce = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        once = [("ts", str(int(time.time()))), ("nonce", nonce)]
        url = _with_query(realm, [*challenge.query, *once])
        return self._get(url, self._key.sign("GET", url))

    def _get(self, url: str, authorization: str) -> str:
        reply = self._http.fetch(
            "GET",
            url,
            headers={"Authorization": authorization} if authorization else {},
            limit=_MAX_TOKEN,
            came_from=self.origin,
        )
        return _read(reply)


def _origin(host: str, *, insecure: bool) -> str:
    """One on this machine is taken to speak plain http."""
    host = _DOCKER_HUB.get(host, host)
    plain = insecure or is_loopback(host.rpartition(":")[0] or host)
    return f"{'http' if plain else 'https'}://{host}"


def _site(host: str) -> str:
    """Docker's registry and its token server are one site; any other host is one by itself."""
    return "docker.io" if host.endswith(".docker.io") else host


def _with_query(url: str, query: list[tuple[str, str]]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}" if query else url


def _read(reply: Reply) -> str:
    if reply.status in (401, 403):
        raise Unauthorized(_DENIED)
    try:
        found = from_json(reply.body, _Token)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _Token()
    token = found.token or found.access_token
    if reply.status != 200 or not (token.isascii() and token.isprintable() and token):
        again = reply.headers.get("retry-after")
        sentence = f"the registry gave no token: it answered {reply.status}"
        raise Refused(sentence, reply.status, again)
    return token
