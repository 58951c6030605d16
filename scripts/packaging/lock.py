"""Lock the dependencies of the package, for formulas: `python -m scripts.packaging.lock` (needs uv).

lock.toml has of each its version and the name and hash of its source distribution, or of the wheel where that is all, for macOS and Linux.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCK = Path(__file__).with_name("lock.toml")
_PROJECT = """\
[project]
name = "ollapy"
version = "0"
requires-python = "{python}"
dependencies = {dependencies}
[tool.uv]
environments = ["sys_platform == 'darwin'", "sys_platform == 'linux'"]
"""
_BEGINNING = "# Written by `python -m scripts.packaging.lock`.\n"


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A source distribution."""

    name: str
    version: str
    file: str
    sha256: str


def project() -> dict[str, Any]:
    """What pyproject.toml says of the package."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {**found}


def locked() -> list[Source]:
    """What lock.toml has."""
    said = tomllib.loads(LOCK.read_text("utf-8"))["package"]
    return [Source(**package) for package in said]


def resolve(folder: Path) -> Iterator[Source]:
    """The dependencies as uv resolves them today."""
    said = project()
    text = _PROJECT.format(
        python=said["requires-python"], dependencies=said["dependencies"]
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    subprocess.run(["uv", "lock", "--project", str(folder)], check=True)
    found = tomllib.loads((folder / "uv.lock").read_text("utf-8"))["package"]
    return (_source(package) for package in found if "registry" in package["source"])


def _source(package: dict[str, Any]) -> Source:
    sdist = package.get("sdist") or package["wheels"][0]
    file = sdist["url"].rpartition("/")[2].partition("#")[0]
    digest = sdist["hash"].removeprefix("sha256:")
    return Source(package["name"], package["version"], file, digest)


def text_of(sources: list[Source]) -> str:
    """The whole of lock.toml."""
    blocks = (
        f'\n[[package]]\nname = "{it.name}"\nversion = "{it.version}"\n'
        f'file = "{it.file}"\nsha256 = "{it.sha256}"\n'
        for it in sorted(sources)
    )
    return _BEGINNING + "".join(blocks)


def main() -> int:
    """Resolve and write."""
    with tempfile.TemporaryDirectory() as folder:
        LOCK.write_text(text_of([*resolve(Path(folder))]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
