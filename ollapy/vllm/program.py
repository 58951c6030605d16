"""The program that starts vLLM, where it is on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from ollapy.errors import EngineMissing
from ollapy.settings import Settings


def program(settings: Settings) -> list[str]:
    """How it is called, the first word as a path; EngineMissing where there is none."""
    name, *rest = settings.vllm_command or ("vllm",)
    path = settings.vllm_env.get("PATH")
    found = shutil.which(str(Path(name).expanduser()), path=path)
    if found is None:
        raise EngineMissing(
            f"vLLM is not installed, there is no program '{name}': install it into an environment of its own, "
            "such as `uv tool install vllm`, and set OLLAPY_VLLM_COMMAND where it is not on the daemon's PATH"
        )
    return [found, *rest]
