"""A registry of one model on loopback, fast enough not to be what is measured.

    python -m scripts.bench.registry PORT MANIFEST FILE...

Each file is a blob by its sha256, which is its name. `GET /served` says how many bytes of blobs have gone out.
"""

from __future__ import annotations

import os
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Registry(ThreadingHTTPServer):
    """Serves until it is killed."""

    def __init__(self, port: int, manifest: Path, files: list[Path]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.manifest = manifest.read_bytes()
        self.blobs = {f"sha256:{file.name}": file for file in files}
        self.served = 0
        self.lock = Lock()


class Handler(BaseHTTPRequestHandler):
    """A manifest, whatever its name, and blobs or parts of them, which the kernel sends by itself."""

    protocol_version = "HTTP/1.1"
    server: Registry

    def do_GET(self) -> None:
        """The only method that a pull needs."""
        blob = self.server.blobs.get(self.path.rpartition("/")[2])
        if self.path == "/served":
            self._answer(str(self.server.served).encode())
        elif "/manifests/" in self.path:
            self._answer(self.server.manifest)
        elif blob:
            self._send(blob)
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send(self, blob: Path) -> None:
        size = blob.stat().st_size
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        start, end = (int(asked[1]), int(asked[2]) + 1) if asked else (0, size)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(end - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.end_headers()
        with blob.open("rb") as file:
            while start < end:
                start += os.sendfile(
                    self.connection.fileno(), file.fileno(), start, end - start
                )
        with self.server.lock:
            self.server.served += end - (int(asked[1]) if asked else 0)


if __name__ == "__main__":
    port, manifest, *files = sys.argv[1:]
    Registry(int(port), Path(manifest), [Path(file) for file in files]).serve_forever()
