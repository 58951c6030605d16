"""A runner that cannot keep a cache but as f16, as llama.cpp cannot for some models; else it is the real one."""

from __future__ import annotations

import subprocess
import sys

from ollapy.daemon.runners.process import RunnerProcess
from ollapy.runner.frames import FrameReader, frame
from ollapy.runner.protocol import Failed, ToRunner

COMMAND = (sys.executable, "-E", "-P", __file__)
PROBLEM = "V cache quantization requires flash_attn"


def main() -> None:
    """Look at the first frame, and hand it on with all that follow."""
    (load,) = FrameReader(ToRunner).feed(first := sys.stdin.buffer.read1(1 << 16))
    if load.kv_type != "f16":
        sys.stdout.buffer.write(frame(Failed(None, "LoadFailed", PROBLEM)))
        return
    with subprocess.Popen(RunnerProcess.command, stdin=subprocess.PIPE) as real:
        assert real.stdin
        while data := first or sys.stdin.buffer.read1(1 << 16):
            real.stdin.write(data)
            real.stdin.flush()
            first = b""


if __name__ == "__main__":
    main()
