"""Control groups (Linux, version 2): what a container or a service manager lets this process have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_OWN = Path("/proc/self/cgroup")
_ROOT = Path("/sys/fs/cgroup")


def files(name: str, own: Path = _OWN, root: Path = _ROOT) -> Iterator[Path]:
    """The file of that name in each group that this process is in."""
    if not own.exists():
        return
    for line in own.read_text().splitlines():
        if line.startswith("0::/"):
            folder = root / line.removeprefix("0::/")
            for group in (folder, *folder.parents):
                if group.is_relative_to(root) and (group / name).exists():
                    yield group / name
