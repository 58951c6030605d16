"""What a pull says of a name that no registry has."""

from __future__ import annotations

from pathlib import Path

import pytest

from ollapy.errors import NotOnRemote
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

    settings = Settings.from_env({"HOME": str(tmp_path)})
    operation, wanted = Operation(), ModelName.parse(name)
    with misbehaving(answer) as server:
        http, host = Http(), f"127.0.0.1:{server.port}"
        access = Access(http, host, Key(tmp_path / "key"))
        planner = Planner(
            Blobs(tmp_path / "blobs"),
            Neighbours(settings),
            Hub(settings),
            Repository(wanted, access),
            Requests(http, access, operation),
            operation,
        )
        with pytest.raises(NotOnRemote) as caught:
            planner.plan(wanted, local=False)

    assert str(caught.value).startswith(f"{ABSENT}{hint}")
    if not hint:
        assert str(caught.value) == ABSENT
