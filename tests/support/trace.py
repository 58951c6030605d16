"""Trace: what a process asked of the disk, as strace saw it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_NAMES = {
    "openat": "open",
    "write": "write",
    "pwrite64": "pwrite",
    "fsync": "fsync",
    "ftruncate": "ftruncate",
    "fallocate": "posix_fallocate",
    "rename": "rename",
    "unlink": "unlink",
    "link": "link",
    "mkdir": "mkdir",
    "rmdir": "rmdir",
    "chmod": "chmod",
}
# other ways to do the same, of other libraries and machines
_SAME = {
    "fdatasync": "fsync",
    "renameat": "rename",
    "renameat2": "rename",
    "unlinkat": "unlink",
    "linkat": "link",
    "mkdirat": "mkdir",
    "fchmodat": "chmod",
    "fchmod": "chmod",
    "pwritev": "pwrite",
    "writev": "write",
    "open": "open",
    "creat": "open",
    "truncate": "ftruncate",
    "copy_file_range": "write",
    "sendfile": "write",
}
_ALL = {**_NAMES, **_SAME}
_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)")
_FILE = re.compile(r"\d+<([^>]+)>")
_PATH = re.compile(r'"([^"]*)"')


@dataclass
class Call:
    """A system call: the lines of the log where it began and ended, and the files it is about."""

    name: str
    paths: tuple[str, ...]
    began: int
    ended: int


def strace(log: Path) -> list[str]:
    """The words before a command that is to be traced. Skips where that is not possible."""
    words = [
        "strace",
        "-f",
        "-y",
        "-qq",
        "-o",
        str(log),
        "-e",
        "trace=?" + ",?".join(_ALL),
    ]
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("tracing is not allowed here")
    return words


def calls(log: Path, folder: Path) -> list[Call]:
    """Those about files in the folder, that did something, in the order in which they began."""
    found: list[Call] = []
    open_calls: dict[str, Call] = {}
    for number, line in enumerate(log.read_text(errors="replace").splitlines()):
        if (match := _LINE.match(line)) is None:
            continue
        process, name, rest = match.groups()
        if " resumed>" in line and process in open_calls:
            open_calls.pop(process).ended = number
            continue
        call = Call(_ALL[name], _paths(_ALL[name], rest), number, number)
        if rest.endswith("<unfinished ...>"):
            open_calls[process] = call
        if _is_change(call, rest, folder):
            found.append(call)
    return found


def _paths(name: str, rest: str) -> tuple[str, ...]:
    if name in ("write", "pwrite", "fsync", "ftruncate", "posix_fallocate"):
        return tuple(_FILE.findall(rest)[:1])
    return tuple(_PATH.findall(rest))


def _is_change(call: Call, rest: str, folder: Path) -> bool:
    is_inside = any(Path(path).is_relative_to(folder) for path in call.paths)
    return is_inside and (call.name != "open" or "O_CREAT" in rest)
