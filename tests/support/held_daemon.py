"""A daemon whose runners stop in the middle of their loads, until a file is there; then they are the real ones.

python -m tests.support.held_daemon FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

from ollapy.cli.main import main
from ollapy.daemon.runners.process import RunnerProcess

from . import held_runner

SERVING = ("-m", __name__)

if __name__ == "__main__":
    gate = Path(sys.argv.pop())
    RunnerProcess.command = (*held_runner.COMMAND, str(gate))
    sys.argv[1:] = ["serve"]
    main()
