"""A hub on loopback: repositories as Hugging Face's API lists them, and files behind signed addresses of another host."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ollapy.pulling import Puller
from ollapy.settings import Settings
from ollapy.store import Store

from .misbehaving import Asked, Reply, Server, misbehaving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_of_ann"  # who has it may have everything
STRANGER = "hf_of_bob"


@dataclass
class Repo:
    """`name` is `user/repository`; `said` replaces or adds to what the API says of it."""

    name: str
    files: dict[str, bytes]
    gated: bool = False
    private: bool = False
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def info(self) -> dict[str, Any]:
        """What the API says."""
        return {
            "id": self.name,
            "sha": COMMIT,
            "private": self.private,
            "gated": "auto" if self.gated else False,
            "gguf": {"architecture": "llama", "total": 1},
            "siblings": [_sibling(path, data) for path, data in self.files.items()],
            **self.said,
        }


def _sibling(path: str, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": "0" * 40}
    if path.lower().endswith(".gguf"):
        sha256 = hashlib.sha256(data).hexdigest()
        found["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
    return found


@dataclass
class FakeHub:
    """`api` names the files, `cdn` has them. An address may be used `num_uses` times before it expires.

    A `fault` answers a request in place of either, or says that it does not.
    """

    repos: list[Repo]
    num_uses: int = 100
    fault: Callable[[Asked, Reply], bool] = lambda _asked, _reply: False
    _signatures: list[int] = field(default_factory=list)
    api: Server = field(init=False)
    cdn: Server = field(init=False)

    @property
    def endpoint(self) -> str:
        """For HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.api.port}"

    def repo(self, name: str) -> Repo | None:
        """However its letters are cased."""
        return next((r for r in self.repos if r.name.lower() == name.lower()), None)

    def answer(self, asked: Asked, reply: Reply) -> None:
        """As the site itself."""
        if self.fault(asked, reply):
            return
        parts = unquote(urlsplit(asked.path).path).strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._list("/".join(parts[2:4]), asked, reply)
        elif len(parts) > 4 and parts[2:4] == ["resolve", COMMIT]:
            self._resolve("/".join(parts[:2]), "/".join(parts[4:]), asked, reply)
        else:
            refuse(reply, "404 Not Found", "EntryNotFound")

    def _list(self, name: str, asked: Asked, reply: Reply) -> None:
        repo = self.repo(name)
        if repo is None or (repo.private and _token(asked) != TOKEN):
            status = "404 Not Found" if _token(asked) else "401 Unauthorized"
            refuse(reply, status, "RepoNotFound")
        elif repo.name != name:
            reply.whole("307 Temporary", b"", Location=f"/api/models/{repo.name}")
        else:
            reply.whole(
                "200 OK",
                json.dumps(repo.info).encode(),
                Content_Type="application/json",
            )

    def _resolve(self, name: str, path: str, asked: Asked, reply: Reply) -> None:
        repo = self.repo(name)
        if repo is None or path not in repo.files:
            refuse(reply, "404 Not Found", "EntryNotFound")
        elif (repo.gated or repo.private) and _token(asked) != TOKEN:
            status = "403 Forbidden" if _token(asked) else "401 Unauthorized"
            refuse(reply, status, "GatedRepo")
        else:
            self._signatures.append(0)
            signed = f"?Expires=1&Signature={len(self._signatures) - 1}"
            digest = hashlib.sha256(repo.files[path]).hexdigest()
            reply.whole("302 Found", b"", Location=self.cdn.url(f"/{digest}{signed}"))

    def give(self, asked: Asked, reply: Reply) -> None:
        """As the host of the files."""
        if self.fault(asked, reply):
            return
        url = urlsplit(asked.path)
        number = int(parse_qs(url.query)["Signature"][0])
        self._signatures[number] += 1
        if self._signatures[number] > self.num_uses:
            reply.whole("403 Forbidden", b"<Error>AccessDenied</Error>")
            return
        files = (data for repo in self.repos for data in repo.files.values())
        wanted = url.path.strip("/")
        reply.ranged(
            asked, next(d for d in files if hashlib.sha256(d).hexdigest() == wanted)
        )


def refuse(reply: Reply, status: str, code: str) -> None:
    """A refusal in the hub's manner."""
    said = {"error": "Invalid username or password."}
    reply.whole(
        status, json.dumps(said).encode(), X_Error_Code=code, X_Error_Message=said
    )


def _token(asked: Asked) -> str:
    return (asked.header("authorization") or "").removeprefix("Bearer ")


@contextmanager
def running_hub(*repos: Repo) -> Iterator[FakeHub]:
    """A hub with these repositories."""
    hub = FakeHub([*repos])
    with ExitStack() as stack:
        hub.api = stack.enter_context(misbehaving(hub.answer))
        hub.cdn = stack.enter_context(misbehaving(hub.give))
        yield hub


def puller_from(hub: FakeHub, models: Path, **env: str) -> Puller:
    """What a daemon of a user of this hub would pull with; nothing of the machine's own is looked at."""
    own = {"HOME": str(models.parent), "OLLAPY_MODELS": str(models)}
    settings = Settings.from_env({**own, "HF_ENDPOINT": hub.endpoint, **env})
    return Puller(Store(models), settings)
