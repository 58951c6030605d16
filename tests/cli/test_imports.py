"""What the quick commands do not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.daemon import Daemon
from tests.support.terminal import environment

HEAVY = {
    *("rich", "pygments", "click.rich_utils", "typer.rich_utils", "prompt_toolkit"),
    *("starlette", "uvicorn", "llama_cpp", "numpy", "jinja2", "huggingface_hub"),
    *(
        "httpx",
        "pydantic",
        "asyncio",
        "ollapy.daemon",
        "ollapy.engine",
        "ollapy.runner",
        "ollapy.store",
    ),
}
REPORT = """
import sys
from ollapy.cli.main import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def imported(*words: str, host: str) -> set[str]:
    """The modules that a command has imported by its end."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(host),
        timeout=60,
        check=True,
    )
    return set(done.stderr.decode().split())


def test_help_imports_next_to_nothing(daemon: Daemon) -> None:
    modules = imported("--help", host=daemon.address)

    assert not modules & (HEAVY | {"h11", "msgspec", "platformdirs"})


@pytest.mark.parametrize(
    "words", [("list",), ("ps",), ("show", "tiny"), ("run", "tiny", "")]
)
def test_commands_import_nothing_heavy(daemon: Daemon, words: tuple[str, ...]) -> None:
    assert not imported(*words, host=daemon.address) & (HEAVY - {"asyncio"})
