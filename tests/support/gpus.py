"""The accelerators that the library of this test run drives."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from ollapy.api.engine import Device
from ollapy.daemon.runners import probe
from ollapy.settings import Settings


def asked() -> list[Device]:
    """The accelerators as they are now."""
    env = Settings.from_env().runner_env
    if not probe.knows_accelerators(env):
        return []
    return [d for d in asyncio.run(probe.ask(env)).devices if d.kind in ("gpu", "igpu")]


def miss(state: Path, *, days: float = 1) -> None:
    """A state folder that says that there was a GPU some days ago."""
    sight = {"name": "CUDA0", "description": "Some GPU", "id": "0000:01:00.0"}
    state.mkdir(exist_ok=True)
    sights = [{**sight, "at": time.time() - days * 86400}]
    (state / "devices.json").write_text(json.dumps(sights))
