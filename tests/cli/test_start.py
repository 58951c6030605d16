"""Starting and ending the daemon: in the background, in the foreground, where somebody else is."""

from __future__ import annotations

import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ollapy import __version__
from tests.support.daemon import Daemon
from tests.support.strangers import free_address, http_server, mute_listener
from tests.support.terminal import Result, command, environment, ollapy, terminal

ADVICE = "stop it, or set OLLAPY_HOST to another address such as 127.0.0.1:11435"


class Home:
    """An address where no daemon runs yet, and folders for the one that will be started."""

    def __init__(self, folder: Path) -> None:
        self.address = free_address()
        self.log = folder / "logs" / "daemon.log"
        self.env = {
            "OLLAPY_MODELS": str(folder / "models"),
            "OLLAPY_LOGS": str(self.log.parent),
        }

    def ollapy(self, *words: str, python: str = sys.executable, **env: str) -> Result:
        """Run a command there."""
        env = {**self.env, **env}
        return ollapy(*words, host=self.address, env=env, python=python)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Whatever daemon the test starts there is ended."""
    home = Home(tmp_path)
    try:
        yield home
    finally:
        assert home.ollapy("serve", "--stop") == Result(0, "", "")


def test_run_starts_a_daemon_that_stays(home: Home) -> None:
    first = home.ollapy("run", "tiny", "What is the capital of France?")
    loaded = home.ollapy("ps")
    stopped = home.ollapy("stop", "--all")

    assert (first.status, first.err) == (0, "")
    assert "Paris" in first.out
    assert "tiny:latest" in loaded.out
    assert stopped == Result(0, "", "")
    assert home.ollapy("list").status == 1


def test_two_that_start_it_at_once_share_one(home: Home) -> None:
    runs = [
        subprocess.Popen(
            command("run", "tiny", "Hi"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(home.address, **home.env),
        )
        for _ in range(2)
    ]
    ends = [(*run.communicate(timeout=30), run.returncode) for run in runs]

    assert [(err, status) for _, err, status in ends] == [(b"", 0)] * 2


def test_the_daemon_outlives_its_terminal(home: Home) -> None:
    with terminal("run", "tiny", host=home.address, **home.env) as session:
        session.expect(">>> ")
        session.process.send_signal(signal.SIGHUP)
        session.wait()

    assert "tiny:latest" in home.ollapy("ps").out


def test_the_folder_one_is_in_is_not_imported(home: Home, tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('hijacked')")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ollapy")), "run", "tiny", "Hi"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(home.address, **home.env),
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_daemon_that_cannot_start_says_why(home: Home, tmp_path: Path) -> None:
    """Its last words, and where the rest is."""
    python = _python_without("uvicorn", tmp_path / "venv")

    assert home.ollapy("run", "tiny", "Hi", python=python) == Result(
        1,
        "",
        "Error: the daemon did not start: a bug in ollapy, OLLAPY_DEBUG=1 shows it: "
        f"ModuleNotFoundError(\"No module named 'uvicorn'\") (log: {home.log})\n",
    )


def test_a_log_that_cannot_be_written_is_named(home: Home, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    logs = tmp_path / "taken" / "logs"

    assert home.ollapy("run", "tiny", "Hi", OLLAPY_LOGS=str(logs)) == Result(
        1,
        "",
        f"Error: the daemon's log could not be written: {logs}/daemon.log: Not a directory\n",
    )


def test_a_long_log_is_put_aside(home: Home) -> None:
    home.log.parent.mkdir()
    home.log.write_bytes(b"x" * 16_000_001)
    home.ollapy("run", "tiny", "")

    assert home.log.with_suffix(".log.old").stat().st_size == 16_000_001
    assert "listening on" in home.log.read_text()


def test_serve_ends_with_ctrl_c(home: Home) -> None:
    """It is how one ends it, so it is no failure."""
    with terminal("serve", host=home.address, **home.env) as shown:
        shown.expect("listening on")
        shown.expect("\n")
        shown.type("\x03")

        assert shown.wait() == 0

    assert "Traceback" not in shown.text
    assert "Aborted" not in shown.text


def test_serve_on_a_port_of_ollapys(daemon: Daemon) -> None:
    assert ollapy("serve", host=daemon.address) == Result(
        1,
        "",
        f"Error: ollapy {__version__} is already running on {daemon.address}: "
        "use it as it is, or end it with `ollapy serve --stop`\n",
    )


def test_serve_on_a_port_of_ollamas() -> None:
    with http_server(version="0.9.1") as address:
        assert ollapy("serve", host=address) == Result(
            1, "", f"Error: Ollama 0.9.1 is already running on {address}: {ADVICE}\n"
        )


@pytest.mark.parametrize("stranger", [mute_listener, http_server])
def test_serve_on_a_port_of_somebody_elses(
    stranger: Callable[[], AbstractContextManager[str]],
) -> None:
    with stranger() as address:
        assert ollapy("serve", host=address) == Result(
            1, "", f"Error: another program is listening on {address}: {ADVICE}\n"
        )


def test_without_the_engine_only_run_fails(home: Home, tmp_path: Path) -> None:
    """The error is the one command that installs it."""
    python = _python_without("llama_cpp", tmp_path / "venv")

    run = home.ollapy("run", "tiny", "Hi", python=python)

    assert (run.status, run.out) == (1, "")
    assert run.err.startswith("Error: llama-cpp-python could not be loaded (")
    assert run.err.endswith("install it with: pip install llama-cpp-python==0.3.36\n")
    assert run.err.count("\n") == 1
    assert "tiny:latest" in home.ollapy("list", python=python).out
    assert "3.54M" in home.ollapy("show", "tiny", python=python).out


def _python_without(package: str, folder: Path) -> str:
    """The interpreter of an environment that has all of this one's packages but one."""
    venv.create(folder)
    packages = sysconfig.get_path("purelib", vars={"base": str(folder)})
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(package):
            (Path(packages) / entry.name).symlink_to(entry)
    return str(folder / "bin" / "python")
