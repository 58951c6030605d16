"""A runner that has loaded 43 % of its model and goes on when a file is there, as the real one."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from ollapy.daemon.runners.process import RunnerProcess
from ollapy.runner.frames import frame
from ollapy.runner.protocol import Loading

COMMAND = (sys.executable, "-E", "-P", __file__)
LOADED = 0.4375


def main() -> None:
    """Tell how far it is, wait, and become the real one."""
    sys.stdout.buffer.write(frame(Loading(LOADED)))
    sys.stdout.buffer.flush()
    while not Path(sys.argv[1]).exists():
        time.sleep(0.01)
    os.execv(sys.executable, RunnerProcess.command)


if __name__ == "__main__":
    main()
