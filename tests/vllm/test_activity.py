"""A process that reads or writes much goes on, also where its log says nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ollapy.vllm.activity import Activity
from tests.support.waiting import eventually

WRITE = """
import sys
print(flush=True)
for line in sys.stdin:
    open(sys.argv[1], "wb").write(b"x" * int(line))
    print(flush=True)
"""


@pytest.mark.skipif(
    not hasattr(psutil.Process, "io_counters"), reason="the system does not count it"
)
def test_what_is_written_counts(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "file")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout

        def write(num_bytes: int) -> None:
            print(num_bytes, file=process.stdin, flush=True)
            process.stdout.readline()

        process.stdout.readline()
        activity = Activity(process.pid)
        activity.has_gone_on()  # what it has read to start
        assert not activity.has_gone_on()
        write(1000)
        assert not activity.has_gone_on()
        write(2_000_000)
        assert activity.has_gone_on()
        assert not activity.has_gone_on()
        process.stdin.close()
    eventually(lambda: not activity.has_gone_on(), "a process that is gone goes on")
