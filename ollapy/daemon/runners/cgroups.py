"""Control groups (Linux, versions 1 and 2): what a container or a service manager lets this process have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

OWN = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")


def files(
    name: str, controller: str, own: Path = OWN, root: Path = ROOT
) -> Iterator[Path]:
    """The file of that name in each group that this process is in.

    A container may see its own group as the root of the tree, by whatever path it is called outside.
    """
    if not own.exists():
        return
    for line in own.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for tree in _trees(controllers, controller, root):
            folder = tree / path.lstrip("/")
            for group in (folder, *folder.parents):
                if group.is_relative_to(tree) and (group / name).exists():
                    yield group / name


def _trees(controllers: str, wanted: str, root: Path) -> Iterator[Path]:
    """Where the hierarchy of those controllers may be mounted; that of version 2 has no list of them."""
    if not controllers:
        yield from (root, root / "unified")
    elif wanted in controllers.split(","):
        yield root / wanted
