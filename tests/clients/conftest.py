"""Other people's clients, each in a process of its own: their threads and warnings stay there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon

SCRIPTS = Path(__file__).parent / "scripts"
INTERPRETER = os.environ.get("OLLAPY_TEST_CLIENTS", sys.executable)
_QUIET = {"NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
_UNPROXIED = {
    key: value
    for key, value in os.environ.items()
    if not key.lower().endswith("_proxy")
}

Drive = Callable[..., dict[str, Any]]
"""What a script, run against the daemon, prints about the answers it got."""


@pytest.fixture
def drive(daemon: Daemon) -> Drive:
    """Runs a script where the module it needs can be imported, skips where not."""

    def run(script: str, *, needs: str) -> dict[str, Any]:
        if not _has(needs):
            pytest.skip(f"{needs} is not installed: pip install 'ollapy[clients]'")
        return _told([INTERPRETER, str(SCRIPTS / script), daemon.address])

    return run


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the npm clients are installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not on this machine")
    folder = tmp_path_factory.mktemp("npm")
    command = [
        npm,
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--fetch-retries=0",
    ]
    try:
        subprocess.run(
            [*command, "ollama", "openai"],
            cwd=folder,
            check=True,
            timeout=60,
            capture_output=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm could not install the clients: {error}")
    return folder


@pytest.fixture
def drive_node(daemon: Daemon, node_modules: Path) -> Drive:
    """Runs a script from beside the npm clients, as imports are looked up from there."""

    def run(script: str) -> dict[str, Any]:
        copied = shutil.copy(SCRIPTS / script, node_modules)
        return _told(["node", str(copied), daemon.address])

    return run


def _has(module: str) -> bool:
    """Whether the interpreter finds it, without importing it: that takes seconds."""
    program = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    found = subprocess.run(
        [INTERPRETER, "-c", program, module], capture_output=True, check=False
    )
    return found.returncode == 0


def _told(command: list[str]) -> dict[str, Any]:
    ended = subprocess.run(
        command,
        env={**_UNPROXIED, **_QUIET},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told
