"""What uvicorn and Starlette take by themselves: one route, no gates.

python -m scripts.bench.bare PORT
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def _version(_: Request) -> JSONResponse:
    return JSONResponse({"version": "0"})


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[Route("/api/version", _version)]),
        port=int(sys.argv[1]),
        http="h11",
        log_config=None,
        access_log=False,
    )
