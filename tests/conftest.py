"""What every test gets: a tiny model loaded once, and a look at what it leaves behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import Daemon, is_alive, running_daemon
from tests.support.waiting import eventually

# As in a runner: OpenMP threads that spin at barriers ruin each other where cores are few.
os.environ.setdefault("GOMP_SPINCOUNT", "100")

# Hundreds of processes are started here: without bytecode each would compile all that it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

os.environ["OLLAPY_CONFIG"] = os.devnull  # not the file of who runs the tests

# A shell has what it runs in the background ignore Ctrl-C, nohup ignores a hangup, and every child would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

TINY = Path(str(files("ollapy") / "store" / "tiny.gguf"))


def pytest_unconfigure() -> None:
    """Close what llama-cpp-python opens when it is imported, and leaves to the interpreter's end."""
    if opener := sys.modules.get("llama_cpp._utils"):
        for file in (opener.outnull_file, opener.errnull_file):
            file.close()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all tests that leave it as they found it."""
    with running_daemon(tmp_path_factory.mktemp("daemon")) as daemon:
        yield daemon


@pytest.fixture
def tiny() -> Path:
    """The file of the model that ships with ollapy."""
    return TINY


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves a child process or a thread."""
    threads, children = set(threading.enumerate()), set(psutil.Process().children())
    yield
    eventually(
        lambda: {c for c in psutil.Process().children() if is_alive(c)} <= children,
        "child processes were left behind",
    )
    eventually(
        lambda: set(threading.enumerate()) <= threads, "threads were left behind"
    )
