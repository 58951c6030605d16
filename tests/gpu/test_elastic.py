"""The KV pool of a model on a GPU grows in place, and what was read stays read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ollapy.api.engine import Device
from tests.support.daemon import Daemon, running_daemon

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(300)]

LONG = "word " * 600


def row(daemon: Daemon) -> dict[str, Any]:
    (found,) = daemon.http.get("/api/ps").json()["models"]
    return dict(found)


def test_a_pool_grows_on_the_gpu(folder: Path, gpu: Device) -> None:
    with running_daemon(folder, CONTEXT_LENGTH="512", DEVICE=gpu.name) as daemon:
        first = daemon.generate("Hi", model="scripted")
        before, runner = row(daemon)["size_vram"], daemon.runners[0].pid

        answer = daemon.generate(LONG, model="scripted", options={"num_ctx": 4096})
        again = daemon.generate("Hi", model="scripted")

        assert first["response"] == answer["response"] == "the script"
        assert answer["ollapy"]["context"]["limit"] == 4096
        assert row(daemon)["size_vram"] > before
        assert again["ollapy"]["context"]["cached_tokens"] > 0
        assert [child.pid for child in daemon.runners] == [runner]
