"""`ollapy serve` with the paced runner in the place of the real one.

python -m scripts.bench.paced_daemon serve
"""

from __future__ import annotations

import sys
from pathlib import Path

from ollapy.cli.main import main
from ollapy.daemon.runners.process import RunnerProcess

if __name__ == "__main__":
    runner = Path(__file__).with_name("paced_runner.py")
    RunnerProcess.command = (sys.executable, "-E", "-P", str(runner))
    sys.exit(main())
