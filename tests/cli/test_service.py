"""The service: its files as those read them who start it, and the commands with a systemctl that notes what it is told."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ollapy.cli.service.keeper import serving
from ollapy.cli.service.launchd import Launchd
from ollapy.cli.service.systemd import Systemd
from ollapy.cli.service.tasks import Tasks
from tests.support.daemon import Daemon
from tests.support.strangers import free_address
from tests.support.terminal import Result, ollapy

ODD = ('/opt/my $tools/100%/py"thon', "-m", "ollapy", "serve")
ENV = {"OLLAPY_CONFIG": '/a b/"c".toml'}
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
NOTES = '#!/bin/sh\necho "$(basename $0) $*" >> "$NOTED"\n'


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze"
)
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "ollapy.service"
    unit.write_bytes(Systemd().content(serving(), ENV))
    done = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", str(unit)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_unit_has_nothing_for_systemd_to_replace() -> None:
    text = Systemd().content(ODD, ENV).decode()
    assert 'ExecStart="/opt/my $$tools/100%%/py\\"thon" "-m" "ollapy" "serve"\n' in text
    assert 'Environment="OLLAPY_CONFIG=/a b/\\"c\\".toml"\n' in text


def test_launchd_reads_what_was_meant(tmp_path: Path) -> None:
    agent = plistlib.loads(Launchd(tmp_path).content(ODD, ENV))
    assert agent["ProgramArguments"] == [*ODD]
    assert agent["EnvironmentVariables"] == ENV
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert Path(agent["StandardErrorPath"]).parent == tmp_path


def test_the_task_is_what_windows_reads() -> None:
    task = ET.fromstring(Tasks().content(ODD, ENV))
    act = task.find(f"{TASK}Actions/{TASK}Exec")
    assert act is not None
    assert act.findtext(f"{TASK}Command") == ODD[0]
    assert act.findtext(f"{TASK}Arguments") == "-m ollapy serve"
    assert task.find(f"{TASK}Triggers/{TASK}LogonTrigger") is not None
    assert task.findtext(f"{TASK}Settings/{TASK}ExecutionTimeLimit") == "PT0S"


class Machine:
    """Where `systemctl` does what a script says."""

    def __init__(self, folder: Path, script: str) -> None:
        self.noted = folder / "noted"
        self.unit = folder / "config" / "systemd" / "user" / "ollapy.service"
        self._env = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "NOTED": str(self.noted),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "OLLAPY_CONFIG": str(folder / "mine.toml"),
        }
        for name in ("systemctl", "journalctl"):
            (folder / name).write_text(script)
            (folder / name).chmod(0o700)

    def service(self, *words: str, host: str = "", **env: str) -> Result:
        host = host or free_address()
        return ollapy("service", *words, host=host, env={**self._env, **env})


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")


@on_linux
def test_install_and_uninstall(tmp_path: Path) -> None:
    machine = Machine(tmp_path, NOTES)
    installed = machine.service("install", OLLAPY_KEEP_ALIVE="1h")
    text = machine.unit.read_text()
    status, logs = machine.service("status"), machine.service("logs", "-f")
    removed = machine.service("uninstall")

    assert installed.status == status.status == logs.status == removed.status == 0
    assert installed.out == f"installed {machine.unit}\n"
    assert (
        "does not see OLLAPY_KEEP_ALIVE: `ollapy config set keep_alive" in installed.err
    )
    assert f'"{sys.executable}" "-P" "-m" "ollapy" "serve"' in text
    assert f"OLLAPY_CONFIG={tmp_path}/mine.toml" in text
    assert not machine.unit.exists()
    assert machine.noted.read_text().splitlines() == [
        "systemctl --user show-environment",
        "systemctl --user daemon-reload",
        "systemctl --user enable --now ollapy.service",
        "systemctl --user show-environment",
        "systemctl --user --no-pager status ollapy.service",
        "journalctl --user --unit ollapy.service --no-pager --lines 200 --follow",
        "systemctl --user show-environment",
        "systemctl --user disable --now ollapy.service",
    ]


@on_linux
def test_where_there_is_no_systemd_nothing_is_written(tmp_path: Path) -> None:
    script = "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n"
    machine = Machine(tmp_path, script)
    told = (
        "Error: systemd does not answer here (systemctl: Failed to connect to bus: No medium found): "
        "have whatever keeps programs running on this machine run `ollapy serve`\n"
    )
    assert machine.service("install") == Result(1, "", told)
    assert not machine.unit.exists()
    (tmp_path / "systemctl").unlink()
    without = machine.service("install", PATH=str(tmp_path))
    assert "(there is no systemctl)" in without.err


@on_linux
@pytest.mark.parametrize("words", [("status",), ("logs",), ("uninstall",)])
def test_what_is_not_installed(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = Machine(tmp_path, NOTES).service(*words)
    assert result.status == 1
    assert result.err.startswith("Error: the service is not installed: ")


@on_linux
def test_a_daemon_that_runs_makes_way_first(tmp_path: Path, daemon: Daemon) -> None:
    machine = Machine(tmp_path, NOTES)
    result = machine.service("install", host=daemon.address)
    assert result.err == (
        f"Error: ollapy is already running on {daemon.address}: end it with `ollapy serve --stop`\n"
    )
    assert not machine.unit.exists()
