"""A server with models, and a daemon that has them from there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ollapy.keys import KeyRing, Scope
from scripts.make_gguf import write_embedder
from tests.conftest import TINY
from tests.support.cast import add_cast
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_model


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Any server with OpenAI's API that wants a key; its first, which is in `key`."""
    folder = tmp_path_factory.mktemp("server")
    add_cast(folder / "models")
    add_model(folder / "models", "org/big", TINY)
    write_embedder(folder / "vectors.gguf")
    add_model(folder / "models", "vectors", folder / "vectors.gguf")
    secret = KeyRing(folder / "keys.json").create("test", Scope.MANAGE)
    with running_daemon(folder, REQUIRE_KEY="1") as daemon:
        daemon.http.headers["Authorization"] = f"Bearer {secret}"
        yield daemon


@pytest.fixture(scope="module")
def gateway(
    server: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """A daemon that knows the server."""
    key = server.http.headers["Authorization"].removeprefix("Bearer ")
    folder = tmp_path_factory.mktemp("gateway")
    url = f"http://{server.address}/v1"
    with running_daemon(folder, VLLM_URL=url, VLLM_API_KEY=key) as daemon:
        yield daemon
