"""docs/cli.md and the man pages say what the commands say."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from scripts.docs_cli import ROOT, files

WRITTEN = files()


def test_what_is_written_is_up_to_date() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in WRITTEN.items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]
    gone = {*(ROOT / "docs" / "man").glob("*.1")} - {*WRITTEN}
    assert (stale, gone) == ([], set()), "run `make docs`"


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff")
def test_the_man_pages_are_well_formed() -> None:
    pages = [str(path) for path in WRITTEN if path.suffix == ".1"]
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-P-cbu", "-ww", "-K", "utf8", *pages],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    shown = done.stdout.decode()
    assert "ollapy\N{HYPHEN}" not in shown  # a name has to be found by its own letters
    assert "OLLAPY_KEEP_ALIVE" in shown
