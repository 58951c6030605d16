"""The Homebrew formula: Ruby that can be parsed, with everything in it that the package needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.packaging.homebrew import OWN, formula, release_of
from scripts.packaging.lock import LOCK, locked, project, text_of

SOURCES = "https://index.example/packages/source/"
_OPENS = re.compile(r"^(class|def)\b|\bdo$")


@pytest.fixture
def text(tmp_path: Path) -> str:
    """The formula of a release."""
    sdist = tmp_path / "ollapy-1.2.tar.gz"
    sdist.write_bytes(b"the release")
    return formula(release_of(sdist), SOURCES, 'https://home.example/#"{x}')


def test_the_lock_is_of_what_the_package_needs() -> None:
    versions = {it.name: it.version for it in locked()}
    wanted = [Requirement(text) for text in project()["dependencies"]]

    assert LOCK.read_text() == text_of(locked())
    for it in wanted:
        assert versions[canonicalize_name(it.name)] in it.specifier, it


def test_every_block_ends(text: str) -> None:
    """What a parser would see, where there is no Ruby."""
    depth = 0
    for line in map(str.strip, text.splitlines()):
        depth += bool(_OPENS.search(line)) - (line == "end")
        assert depth > 0 or line == "end"
        assert line.count('"') % 2 == (1 if '\\"' in line else 0)
    assert depth == 0


def test_every_dependency_is_a_resource_or_homebrews(text: str) -> None:
    resources = re.findall(
        r'  resource "(\S+)" do\n    url "(\S+)"\n    sha256 "([0-9a-f]{64})"\n  end\n',
        text,
    )
    assert {name for name, _, _ in resources} == {it.name for it in locked()} - {*OWN}
    assert all(
        url.startswith(f"{SOURCES}{name[0]}/{name}/") for name, url, _ in resources
    )
    for names in OWN.values():
        assert all(f'  depends_on "{name}"\n' in text for name in names)


def test_the_release_is_named_with_its_hash(text: str) -> None:
    assert f'  url "{SOURCES}o/ollapy/ollapy-1.2.tar.gz"\n' in text
    assert re.search(r'^  sha256 "[0-9a-f]{64}"$', text, re.MULTILINE)
    assert '  homepage "https://home.example/\\#\\"{x}"\n' in text


@pytest.mark.skipif(shutil.which("ruby") is None, reason="there is no ruby")
def test_ruby_takes_it(text: str) -> None:
    done = subprocess.run(
        ["ruby", "-wc"], input=text.encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
