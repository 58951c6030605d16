"""The accelerators that the library of this test run drives."""

from __future__ import annotations

import asyncio

from ollapy.api.engine import Device
from ollapy.daemon.runners import probe
from ollapy.settings import Settings


def asked() -> list[Device]:
    """The accelerators as they are now."""
    env = Settings.from_env().runner_env
    if not probe.knows_accelerators(env):
        return []
    return [d for d in asyncio.run(probe.ask(env)).devices if d.kind in ("gpu", "igpu")]
