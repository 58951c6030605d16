"""`ollapy serve` with the paced runner in the place of the real one.

python -m scripts.bench.paced_daemon serve
"""

from __future__ import annotations

from ollapy.cli.main import main
from ollapy.daemon.runners.process import RunnerProcess

from .paced_runner import COMMAND

if __name__ == "__main__":
    RunnerProcess.command = COMMAND
    main()
