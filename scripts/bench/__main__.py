"""The benchmarks: what ollapy costs beside the model, and ollapy beside other servers.

python -m scripts.bench --help
python -m scripts.bench versus --help
"""

from __future__ import annotations

import signal
import sys

from . import costs
from .versus import command


def main() -> None:
    """Run the one that is asked for."""
    # told to end, it leaves its blocks, and those end the servers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    words = sys.argv[1:]
    if words[:1] == ["versus"]:
        command.main(words[1:])
    else:
        costs.main(words)


if __name__ == "__main__":
    main()
