"""What a pull says of a name that no registry has."""

from __future__ import annotations

from pathlib import Path

import pytest

from ollapy.errors import NotOnRemote, RemoteError
from ollapy.hub import Hub
from ollapy.names import ModelName
from ollapy.neighbours import Neighbours
from ollapy.net.http import Http
from ollapy.operation import Operation
from ollapy.pulling.planner import Planner
from ollapy.registry import Access, Repository
from ollapy.registry.key import Key
from ollapy.registry.requests import Requests
from ollapy.settings import Settings
from ollapy.store import Blobs
from tests.support.misbehaving import Asked, Reply, misbehaving
from tests.support.strangers import free_address

ABSENT = "pull model manifest: file does not exist"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mistrall", "; did you mean 'mistral' or "),
        ("lama3.2:1b", "; did you mean 'llama3.2:1b'"),
        ("Qwen2.5:0.6b", "; did you mean 'qwen2.5:0.5b'"),
        ("something-else", ""),
        ("ann/mistrall", ""),
    ],
)
def test_names_that_are_like_it(tmp_path: Path, name: str, hint: str) -> None:
    def answer(_asked: Asked, reply: Reply) -> None:
        reply.whole("404 Not Found", b"")

    with misbehaving(answer) as server, pytest.raises(NotOnRemote) as caught:
        plan(name, f"127.0.0.1:{server.port}", tmp_path)

    assert str(caught.value).startswith(f"{ABSENT}{hint}")
    if not hint:
        assert str(caught.value) == ABSENT


def test_names_that_are_like_it_while_the_network_is_away(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="; did you mean 'mistral' or"):
        plan("mistrall", free_address(), tmp_path)


def plan(name: str, host: str, folder: Path) -> None:
    """Look for a name at a registry."""
    settings = Settings.from_env({"HOME": str(folder)})
    operation, wanted, http = Operation(), ModelName.parse(name), Http()
    access = Access(http, host, Key(folder / "key"))
    planner = Planner(
        Blobs(folder / "blobs"),
        Neighbours(settings),
        Hub(settings),
        Repository(wanted, access),
        Requests(http, access, operation),
        operation,
    )
    planner.plan(wanted, local=False)
