"""httpx, without the command line that it would import along.

That one pulls in rich, click and pygments: half the time that `ollapy list` takes.
"""

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None makes the import fail, as httpx allows

import httpx  # noqa: E402

__all__ = ["httpx"]
